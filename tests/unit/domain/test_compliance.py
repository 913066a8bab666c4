from itertools import permutations

import pytest

from emr_log_guard.domain.compliance import Compliance, Mode, Severity, overall
from tests.unit.builders import a_finding

C, N, D, X = (
    Compliance.COMPLIANT,
    Compliance.NON_COMPLIANT,
    Compliance.INSUFFICIENT_DATA,
    Compliance.NOT_APPLICABLE,
)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], X),
        ([X], X),
        ([C], C),
        ([D], D),
        ([N], N),
        ([X, C], C),
        ([X, D], D),
        ([C, D], D),
        ([X, N], N),
        ([C, N], N),
        ([D, N], N),
        ([X, C, D], D),
        ([X, C, D, N], N),
        ([C, C, C, D], D),
    ],
)
def test_the_worst_result_counts_in_whatever_order(
    results: list[Compliance], expected: Compliance
) -> None:
    assert {overall(order) for order in permutations(results)} == {expected}


def test_severities_rank_as_security_hub_ranks_them() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert list(Severity) == ["LOW", "MEDIUM", "HIGH", "CRITICAL"]


def test_the_words_are_those_of_aws_config_and_the_policy() -> None:
    assert set(Compliance) == {
        "COMPLIANT",
        "NON_COMPLIANT",
        "NOT_APPLICABLE",
        "INSUFFICIENT_DATA",
    }
    assert list(Mode) == ["observe", "alert", "enforce"]


@pytest.mark.parametrize(
    ("compliance", "needs_attention"), [(C, False), (X, False), (N, True), (D, True)]
)
def test_somebody_has_to_be_notified_of_what_is_broken_and_of_what_is_unknown(
    compliance: Compliance, *, needs_attention: bool
) -> None:
    assert a_finding(compliance=compliance).needs_attention is needs_attention
