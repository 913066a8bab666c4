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
        """Write down what was found, and after how long the first word of it came."""
        self.found = found
        if self.seconds is None:
            self.seconds = time.monotonic() - self._since

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
        if not row.found:
            mark = "[dim]…[/]"
        else:
            mark = "[green]✓[/]" if row.as_expected else "[red]✗[/]"
        after = "" if row.seconds is None else f"{row.seconds:.1f} s"
        table.add_row(
            mark, escape(row.title), escape(row.cluster), row.expected, escape(row.found), after
        )
    return table
