"""The table of a run."""

from sandbox.chaos.comparison import Comparison, Discrepancy
from sandbox.chaos.report import Result, table
from sandbox.chaos.rows import ROWS
from sandbox.chaos.truth import Plan

LOST = Discrepancy("j-1", "finding.opened EMRLOG-002 of etl")
RESULT = Result(
    "SNS down",
    61.4,
    {Plan.ALERT: Comparison(), Plan.GRACE: Comparison(lost=(LOST, LOST), repeated=(LOST,))},
)


def test_row_counts_deviations_by_stack() -> None:
    assert RESULT.cells() == ["SNS down", "2 (grace 2)", "0", "0", "0", "1 (grace 1)", "61 s"]
    assert not RESULT.clean
    assert list(RESULT.traces()) == [(Plan.GRACE, "lost", LOST)] * 2


def test_repeated_deliveries_leave_a_row_clean() -> None:
    assert Result("none", 1, {Plan.ALERT: Comparison(repeated=(LOST,))}).clean


def test_table_has_a_line_for_each_row() -> None:
    assert table([RESULT, RESULT]).row_count == 2


def test_row_names_are_unique() -> None:
    names = [row.name for row in ROWS]

    assert len(names) == len(set(names))
