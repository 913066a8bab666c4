"""The demo's lines: the expected and the actual outcome for each cluster."""

import time
from dataclasses import dataclass, field

from rich.markup import escape
from rich.table import Table


@dataclass(slots=True)
class Row:
    """One cluster of the demo."""

    title: str
    cluster: str
    expected: str
    found: str = ""
    seconds: float | None = None
    _since: float = field(default_factory=time.monotonic)

    def note(self, found: str) -> None:
        """Record the outcome, and how long it took."""
        if found != self.found:
            self.found = found
            self.seconds = time.monotonic() - self._since

    @property
    def mark(self) -> str:
        """Show as one character whether the outcome is as expected."""
        if not self.found:
            return "[dim]…[/]"
        return "[green]✓[/]" if self.as_expected else "[red]✗[/]"

    @property
    def as_expected(self) -> bool:
        """Whether the outcome is exactly the expected one."""
        return self.found == self.expected


def board(rows: list[Row]) -> Table:
    """Draw the rows in their current state, a line each; a single one needs no headings."""
    table = Table(box=None, show_header=len(rows) > 1, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(min_width=1)
    for heading in ("What", "Cluster", "Expected", "Found"):
        table.add_column(heading, no_wrap=True)
    table.add_column("After", justify="right", no_wrap=True, min_width=6)
    for row in rows:
        after = "" if row.seconds is None else f"{row.seconds:.1f} s"
        table.add_row(
            row.mark, escape(row.title), escape(row.cluster), row.expected, escape(row.found), after
        )
    return table
