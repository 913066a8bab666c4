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
def test_overall_compliance_is_the_worst_result_in_any_order(
    results: list[Compliance], expected: Compliance
) -> None:
    assert {overall(order) for order in permutations(results)} == {expected}


def test_severities_are_ordered_as_in_security_hub() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert list(Severity) == ["LOW", "MEDIUM", "HIGH", "CRITICAL"]


def test_compliance_values_and_modes_are_the_documented_ones() -> None:
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
def test_violations_and_undetermined_results_need_attention(
    compliance: Compliance, *, needs_attention: bool
) -> None:
    assert a_finding(compliance=compliance).needs_attention is needs_attention
