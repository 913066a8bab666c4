from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    not_applicable,
    past_violation,
    transient_violation,
    undetermined,
)
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.several import Result, most_severe

BROKEN = non_compliant("broken")
PASSING = transient_violation("passing")
OVER = past_violation("over")
PASSING_AND_OVER = Outcome(
    Compliance.INSUFFICIENT_DATA, "both", once_lasting=Compliance.NON_COMPLIANT, over=True
)
UNREAD = insufficient_data("unread")
THROTTLED = undetermined(Unresolved("throttled", transient=True))
FINE = (compliant("fine"), not_applicable("nothing"))
UNLISTED = Unresolved("unlisted")
ALL = (BROKEN, PASSING, OVER, PASSING_AND_OVER, UNREAD, THROTTLED, *FINE)


def summed_up(*outcomes: Outcome, unlisted: Unresolved | None = None) -> Outcome | None:
    def sentence(results: Sequence[Result[int]]) -> str:
        return " ".join(outcome.summary for _, outcome in results)

    return most_severe(enumerate(outcomes), sentence, unlisted)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), None),
        (FINE, None),
        ((OVER, BROKEN, PASSING), non_compliant("broken over")),
        ((UNREAD, OVER, PASSING), transient_violation("passing over")),
        ((UNREAD, OVER), past_violation("over")),
        ((UNREAD, THROTTLED), insufficient_data("unread throttled")),
        ((THROTTLED,), THROTTLED),
        ((UNREAD, PASSING_AND_OVER), PASSING_AND_OVER),
        ((PASSING_AND_OVER, OVER), OVER),
        ((PASSING_AND_OVER, PASSING), PASSING),
    ],
)
def test_most_severe_outcome_is_the_result(
    outcomes: tuple[Outcome, ...], expected: Outcome | None
) -> None:
    assert summed_up(*outcomes) == expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [((), undetermined(UNLISTED)), ((UNREAD,), undetermined(UNLISTED)), ((OVER,), OVER)],
)
def test_unlistable_workloads_outweigh_only_undetermined_outcomes(
    outcomes: tuple[Outcome, ...], expected: Outcome
) -> None:
    assert summed_up(*outcomes, unlisted=UNLISTED) == expected


@given(st.lists(st.sampled_from(ALL)), st.sampled_from([None, UNLISTED]))
def test_result_is_an_ongoing_violation_exactly_when_an_outcome_is(
    outcomes: list[Outcome], unlisted: Unresolved | None
) -> None:
    result = summed_up(*outcomes, unlisted=unlisted)

    grounds = result is not None and result.broken and not result.over
    assert grounds is any(outcome.broken and not outcome.over for outcome in outcomes)
