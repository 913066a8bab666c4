"""Take the state machines and fuzzers through many histories, on every processor.

Each property's histories are split into shards, each a run of pytest with a seed of its own, so
that what fails can be run again alone.
"""

import os
import sys
from argparse import ArgumentParser
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow
from shlex import quote
from subprocess import PIPE, STDOUT, Popen
from threading import Event
from time import monotonic

ROOT = Path(__file__).parents[2]
PROPERTIES = (
    "tests/unit/usecases/remediation/test_reencryption_machine.py",
    "tests/unit/usecases/remediation/test_termination_machine.py",
    "tests/unit/usecases/test_finding_record_machine.py",
    "tests/unit/events/test_any_event.py",
    "tests/unit/test_any_policy.py",
    "tests/unit/domain/test_any_log_uri.py",
)
SHARD = 250
"""How many histories a run of pytest takes: progress is printed after each."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Some of a property's histories."""

    test: str
    histories: int
    seed: int

    @property
    def command(self) -> tuple[str, ...]:
        """What runs it."""
        return (
            *(sys.executable, "-m", "pytest", self.test, "-x", "-q", "-p", "no:cacheprovider"),
            f"--hypothesis-seed={self.seed}",
        )

    @property
    def to_run_again(self) -> str:
        """The command that runs it again."""
        return f"HISTORIES={self.histories} {' '.join(map(quote, self.command))}"


def say(*lines: str) -> None:
    """Write lines at once, because a run takes hours."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def shards(tests: tuple[str, ...], histories: int, seed: int) -> list[Shard]:
    """Split each property's histories, and take the properties in turns."""
    sizes = [min(SHARD, histories - done) for done in range(0, histories, SHARD)]
    return [Shard(test, size, seed + number) for number, size in enumerate(sizes) for test in tests]


def run(shard: Shard, stop: Event) -> tuple[Shard, str | None]:
    """Run a shard; give what pytest said where it failed."""
    if stop.is_set():
        return shard, None
    environment = os.environ | {"HISTORIES": str(shard.histories)}
    with Popen(
        shard.command, cwd=ROOT, env=environment, stdout=PIPE, stderr=STDOUT, text=True
    ) as process:
        said, _ = process.communicate()
    return shard, said if process.returncode else None


def prove(tests: tuple[str, ...], histories: int, jobs: int, seed: int) -> int:
    """Run all shards; stop with the first that fails. Returns the exit status."""
    began, stop = monotonic(), Event()
    done = dict.fromkeys(tests, 0)
    say(f"{histories:,} histories each, {jobs} at once, seed {seed}")
    with ThreadPoolExecutor(jobs) as pool:
        waiting: set[Future[tuple[Shard, str | None]]] = {
            pool.submit(run, shard, stop) for shard in shards(tests, histories, seed)
        }
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for shard, failure in (future.result() for future in finished):
                if failure is not None:
                    stop.set()
                    for future in waiting:
                        future.cancel()
                    say(failure, f"Again: {shard.to_run_again}")
                    return 1
                done[shard.test] += shard.histories
                minutes = (monotonic() - began) / 60
                name = Path(shard.test).stem.removeprefix("test_")
                say(f"{minutes:6.1f} min  {name:16} {done[shard.test]:>9,} of {histories:,}")
    say(f"{sum(done.values()):,} histories, none that breaks a promise")
    return 0


def main() -> int:
    """Read the command line."""
    parser = ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=randbelow(10**6))
    parser.add_argument("tests", nargs="*", help="all of them unless named")
    given = parser.parse_args()
    tests = tuple(
        test for test in PROPERTIES if not given.tests or any(each in test for each in given.tests)
    )
    return prove(tests, given.histories, given.jobs, given.seed)


if __name__ == "__main__":
    sys.exit(main())
