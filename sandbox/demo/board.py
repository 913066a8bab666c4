"""The table of a demo: what was expected of each cluster, and what was found."""

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
        """Write down what was found, and when it was first found so."""
        if found != self.found:
            self.found = found
            self.seconds = time.monotonic() - self._since

    @property
    def mark(self) -> str:
        """Sum the row up in one character."""
        if not self.found:
            return "[dim]…[/]"
        return "[green]✓[/]" if self.as_expected else "[red]✗[/]"

    @property
    def as_expected(self) -> bool:
        """Whether the guard found just what it should."""
        return self.found == self.expected


def board(title: str, rows: list[Row]) -> Table:
    """Draw the rows as they are now."""
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for heading in ("", "What", "Cluster", "Expected", "Found", "After"):
        table.add_column(heading, justify="right" if heading == "After" else "left")
    for row in rows:
        after = "" if row.seconds is None else f"{row.seconds:.1f} s"
        table.add_row(
            row.mark, escape(row.title), escape(row.cluster), row.expected, escape(row.found), after
        )
    return table
