"""Run all benchmarks and write docs/benchmarks.md, or run some and print their results.

`python -m benchmarks [--rounds N] [NAME ...]`
"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import audits, bulk, functions, reencryption, rescans, storms
from benchmarks.page import Section, page
from benchmarks.stack import deployed
from sandbox.deployment import ROOT

if TYPE_CHECKING:
    from benchmarks.stack import Stack

PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> None:
    """Run the requested benchmarks."""
    parser = ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often to measure each")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="the benchmarks to run; default: all"
    )
    asked = parser.parse_args()
    rounds: int = asked.rounds
    alone: Mapping[str, Callable[[], Section]] = {
        "clusters": lambda: audits.clusters(rounds),
        "log-objects": lambda: audits.log_objects(rounds),
        "quotas": audits.quotas,
        "known-clusters": rescans.known_clusters,
        "reencryption-quiet": lambda: reencryption.quiet(rounds),
        "storms": partial(_storms, storms.STORMS.values(), rounds),
    }
    parts: Mapping[str, Callable[[], Section]] = {
        name: partial(_storms, [storm], rounds) for name, storm in storms.STORMS.items()
    }
    beside_the_stack: Mapping[str, Callable[[Stack], Section]] = {
        "cold-starts": lambda stack: functions.cold_starts(stack, 2 * rounds),
        "warm": lambda stack: functions.warm(stack, 10 * rounds),
        "layers": functions.sizes,
        "throughput": rescans.throughput,
        "memory": rescans.history,
        "reencryption": lambda stack: reencryption.log_objects(stack, rounds),
        "reencryption-bulk": bulk.reencryption,
    }
    names = [*alone, *beside_the_stack]
    if unknown := set(asked.names) - {*names, *parts}:
        known = ", ".join([*names, *parts])
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; choose from {known}")
    chosen = asked.names or names
    without_stack = {**alone, **parts}
    sections = [_printed(without_stack[name]()) for name in chosen if name in without_stack]
    if any(name in beside_the_stack for name in chosen):
        with deployed() as stack:
            sections += [
                _printed(beside_the_stack[name](stack))
                for name in chosen
                if name in beside_the_stack
            ]
    if not asked.names:
        PAGE.write_text(page(sections))


def _storms(runs: Iterable[storms.Run], rounds: int) -> Section:
    return storms.section([run(rounds) for run in runs])


def _printed(section: Section) -> Section:
    sys.stdout.write(f"{section}\n\n")
    sys.stdout.flush()
    return section


if __name__ == "__main__":
    main()
