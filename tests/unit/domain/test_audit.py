from dataclasses import replace

import pytest

from emr_log_guard.domain.audit import AuditReport, ExitStatus
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Status
from tests.unit.audits import PLACE, UNREADABLE_PLACE, a_report, audited
from tests.unit.builders import a_finding

GOOD = audited(a_finding(compliance=Compliance.COMPLIANT))
BAD = audited(a_finding(compliance=Compliance.NON_COMPLIANT))
DOUBTFUL = audited(a_finding(compliance=Compliance.INSUFFICIENT_DATA))
UNREAD = audited(doubt="elasticmapreduce:DescribeCluster answered AccessDeniedException")
EXEMPT = audited(a_finding(compliance=Compliance.NON_COMPLIANT, status=Status.EXEMPT))
IDLE = audited(a_finding(compliance=Compliance.NOT_APPLICABLE))


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (a_report(), ExitStatus.COMPLIANT),
        (a_report(GOOD, IDLE), ExitStatus.COMPLIANT),
        (a_report(EXEMPT), ExitStatus.COMPLIANT),
        (a_report(GOOD, BAD, DOUBTFUL), ExitStatus.NON_COMPLIANT),
        (a_report(BAD, places=(UNREADABLE_PLACE,)), ExitStatus.NON_COMPLIANT),
        (a_report(BAD, interrupted=True), ExitStatus.NON_COMPLIANT),
        (a_report(places=(UNREADABLE_PLACE,)), ExitStatus.NO_ACCESS),
        (a_report(places=(UNREADABLE_PLACE, UNREADABLE_PLACE)), ExitStatus.NO_ACCESS),
        (a_report(places=(PLACE, UNREADABLE_PLACE)), ExitStatus.UNDETERMINED),
        (a_report(GOOD, places=(UNREADABLE_PLACE,)), ExitStatus.UNDETERMINED),
        (a_report(GOOD, DOUBTFUL), ExitStatus.UNDETERMINED),
        (a_report(GOOD, UNREAD), ExitStatus.UNDETERMINED),
        (a_report(GOOD, interrupted=True), ExitStatus.UNDETERMINED),
        (a_report(places=(), interrupted=True), ExitStatus.UNDETERMINED),
        (a_report(GOOD, missing=("j-MISSING",)), ExitStatus.UNDETERMINED),
        (a_report(missing=("j-MISSING",)), ExitStatus.NO_ACCESS),
    ],
)
def test_exit_status_follows_from_findings_and_problems(
    report: AuditReport, status: ExitStatus
) -> None:
    assert report.exit_status is status


def test_exit_statuses_are_the_documented_numbers() -> None:
    assert list(map(int, ExitStatus)) == [0, 1, 2, 3]


def test_cluster_with_unreadable_facts_is_undetermined_unless_it_violates_a_rule() -> None:
    assert UNREAD.compliance is Compliance.INSUFFICIENT_DATA
    assert replace(GOOD, unresolved=("no list",)).compliance is Compliance.INSUFFICIENT_DATA
    assert replace(BAD, unresolved=("no list",)).compliance is Compliance.NON_COMPLIANT


def test_exempt_finding_does_not_count_towards_compliance() -> None:
    assert EXEMPT.compliance is Compliance.NOT_APPLICABLE
    both = replace(EXEMPT, findings=(*EXEMPT.findings, *GOOD.findings))
    assert both.compliance is Compliance.COMPLIANT


def test_totals_contain_each_compliance_value() -> None:
    assert a_report(GOOD, GOOD, BAD, DOUBTFUL).totals == {
        Compliance.COMPLIANT: 2,
        Compliance.NON_COMPLIANT: 1,
        Compliance.NOT_APPLICABLE: 0,
        Compliance.INSUFFICIENT_DATA: 1,
    }


def test_problems_are_reported_with_region_and_role() -> None:
    assumed = replace(UNREADABLE_PLACE, role_arn="arn:aws:iam::444455556666:role/Audit")
    report = a_report(
        GOOD, places=(replace(PLACE, listed=3), UNREADABLE_PLACE, assumed), missing=("j-MISSING",)
    )

    assert report.problems == (
        f"eu-south-1: {UNREADABLE_PLACE.problem}",
        f"eu-south-1 as arn:aws:iam::444455556666:role/Audit: {UNREADABLE_PLACE.problem}",
        "cluster j-MISSING was not found",
    )
    [interrupted] = replace(report, places=(PLACE,), missing=(), interrupted=True).problems
    assert interrupted.startswith("the audit was interrupted: 1 of 1 clusters")
