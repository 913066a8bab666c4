from datetime import timedelta

import pytest

from emr_log_guard.rendering.reports.trend import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, trend
from tests.unit.builders import NOW
from tests.unit.rescan_reports import a_past_run


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_runs_have_no_trend(count: int) -> None:
    assert trend([a_past_run(number) for number in range(count)]) is None


@pytest.mark.parametrize("count", [2, 7, 90])
@pytest.mark.parametrize("most", [0, 1, 3, 9, 10, 11, 99, 100, 12_345])
def test_bars_stay_within_the_plot_and_their_heights_match_their_counts(
    count: int, most: int
) -> None:
    runs = [a_past_run(1, broken=most, undetermined=0, exempt=0)]
    runs += [a_past_run(n, broken=0, undetermined=most // 2, exempt=1) for n in range(2, count + 1)]

    drawn = trend(runs)

    assert drawn
    highest = drawn.ticks[-1].number
    assert highest >= most
    assert 2 <= len(drawn.ticks) <= 6
    assert drawn.ticks[0].y == HEIGHT - BOTTOM
    assert drawn.ticks[-1].y == TOP
    scale = (HEIGHT - TOP - BOTTOM) / highest
    for bar in drawn.bars:
        assert bar.x >= LEFT
        assert bar.x + bar.width <= WIDTH - RIGHT + 0.1
        counts = (sum(bar.run.broken.values()), bar.run.undetermined, bar.run.exempt)
        assert sum(part.height for part in bar.parts) == pytest.approx(sum(counts) * scale, abs=0.5)
        assert all(part.y >= TOP for part in bar.parts)
    assert all(left.x < right.x for left, right in zip(drawn.bars, drawn.bars[1:], strict=False))


def test_bar_parts_are_stacked_most_severe_first_without_empty_ones() -> None:
    drawn = trend([a_past_run(1), a_past_run(2, broken=2, undetermined=1, exempt=1)])

    assert drawn
    bad, doubt, exempt = drawn.bars[1].parts
    assert [bad.result, doubt.result, exempt.result] == [
        "NON_COMPLIANT",
        "INSUFFICIENT_DATA",
        "EXEMPT",
    ]
    assert bad.y + bad.height == HEIGHT - BOTTOM
    assert doubt.y + doubt.height == pytest.approx(bad.y)
    assert exempt.y + exempt.height == pytest.approx(doubt.y)
    assert [part.result for part in drawn.bars[0].parts] == ["NON_COMPLIANT"]


def test_a_few_bars_including_the_last_have_a_date_label() -> None:
    drawn = trend([a_past_run(number) for number in range(40)])

    assert drawn
    labels = [bar.label for bar in drawn.bars]
    assert labels[-1] == f"{NOW + timedelta(days=30):%Y-%m-%d}"
    assert 4 <= len([label for label in labels if label]) <= 6


def test_chart_has_a_text_description() -> None:
    drawn = trend([a_past_run(1, broken=5), a_past_run(2, broken=3, undetermined=1)])

    assert drawn
    assert drawn.description == (
        "2 re-scans from 2026-03-06 to 2026-03-07: 5 non-compliant findings were open after the "
        "first and 3 after the last, and 0 and 1 could not be determined."
    )
