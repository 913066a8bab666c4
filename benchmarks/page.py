"""The measurements as a page in Markdown."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

COMMAND = "make bench"


@dataclass(frozen=True, slots=True)
class Section:
    """A table and its explanation."""

    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        """Render the section as Markdown."""
        table = [self.head, ["---"] * len(self.head), *self.rows]
        lines = ["| " + " | ".join(row) + " |" for row in table]
        return "\n".join([f"## {self.title}", "", self.text, "", *lines])


def page(sections: Sequence[Section]) -> str:
    """Render the whole page."""
    return "\n\n".join([_head(), *map(str, sections)]) + "\n"


def _head() -> str:
    return f"""# Benchmarks

How fast and how cheap the audit, re-scans, alerts and re-encryption are, next to Cloud Custodian
where it does the same.

Measured with `{COMMAND}` on {datetime.now(UTC):%Y-%m-%d}: {_processor()},
{os.cpu_count()} processors, {_memory()}, {platform.system()}, Python {platform.python_version()}.
Everything runs on one machine, including the emulated account, and the compared programs take turns
in one run: the ratios are more meaningful than the seconds."""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{total / 2**30:.0f} GiB of memory"
