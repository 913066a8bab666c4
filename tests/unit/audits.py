"""Audit reports that are in order, except for what a test says of them."""

from dataclasses import replace
from datetime import timedelta
from typing import TypedDict, Unpack

from emr_log_guard.domain.audit import AuditedCluster, AuditReport, AuditTarget, RuleNotEvaluated
from emr_log_guard.domain.clusters import ClusterSummary
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.policy import Exemption
from tests.unit.builders import ACCOUNT, CLUSTER_ID, NOW, REGION

SUMMARY = ClusterSummary(
    CLUSTER_ID,
    "nightly-etl",
    f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/{CLUSTER_ID}",
    "RUNNING",
)
PLACE = AuditTarget(REGION, account=ACCOUNT, listed=1)
UNREADABLE_PLACE = AuditTarget(
    "eu-south-1", problem="elasticmapreduce:ListClusters on eu-south-1 answered AccessDenied"
)


def audited(*findings: Finding, name: str = "nightly-etl", doubt: str = "") -> AuditedCluster:
    return AuditedCluster(
        replace(SUMMARY, name=name), findings, unresolved=(doubt,) if doubt else ()
    )


class ReportChanges(TypedDict, total=False):
    places: tuple[AuditTarget, ...]
    interrupted: bool
    missing: tuple[str, ...]
    rules: tuple[str, ...]
    exemptions: tuple[Exemption, ...]


def a_report(*clusters: AuditedCluster, **changes: Unpack[ReportChanges]) -> AuditReport:
    """Make the report of one place, in which these clusters were found."""
    report = AuditReport(
        started=NOW,
        finished=NOW + timedelta(seconds=2),
        places=(replace(PLACE, listed=len(clusters)),),
        clusters=clusters,
        rules=("EMRLOG-001", "EMRLOG-002"),
        not_evaluated=(
            RuleNotEvaluated("EMRLOG-012", "no-service-retained-logs", "disabled by the policy"),
        ),
        api_calls={"elasticmapreduce:DescribeCluster": 1, "elasticmapreduce:ListClusters": 1},
    )
    return replace(report, **changes)
