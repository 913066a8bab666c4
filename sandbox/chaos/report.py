"""The table of a run, and the traces of its discrepancies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.table import Table

from sandbox.chaos.comparison import Comparison, Discrepancy
from sandbox.chaos.truth import Plan

COLUMNS = ("lost", "double", "false", "left_over", "repeated")


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one row."""

    fault: str
    seconds: float
    comparisons: Mapping[Plan, Comparison]

    @property
    def clean(self) -> bool:
        """Whether no stack has a discrepancy."""
        return all(comparison.clean for comparison in self.comparisons.values())

    def cells(self) -> list[str]:
        """The cells of the row: the number of discrepancies of each kind, in total and by stack."""
        return [self.fault, *map(self._cell, COLUMNS), f"{self.seconds:.0f} s"]

    def _cell(self, column: str) -> str:
        counts = {
            plan: len(getattr(comparison, column)) for plan, comparison in self.comparisons.items()
        }
        total = sum(counts.values())
        parts = ", ".join(f"{plan} {count}" for plan, count in counts.items() if count)
        return f"{total} ({parts})" if total else "0"

    def traces(self) -> Iterable[tuple[Plan, str, Discrepancy]]:
        """Yield each discrepancy that counts, with its stack and its kind."""
        for plan, comparison in self.comparisons.items():
            for column in COLUMNS[:-1]:
                for each in getattr(comparison, column):
                    yield plan, column.replace("_", " "), each


def table(results: Iterable[Result]) -> Table:
    """Draw the table."""
    drawn = Table("fault", *(column.replace("_", " ") for column in COLUMNS), "took")
    for result in results:
        drawn.add_row(*result.cells(), style="" if result.clean else "red")
    return drawn
