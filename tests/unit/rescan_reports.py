"""Reports of re-scans that are in order, except for what a test says of them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TypedDict, Unpack

from emr_log_guard.domain.audit import RuleNotEvaluated
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.policy import Exemption
from emr_log_guard.domain.rescan import (
    PastRun,
    Rescan,
    RescanCheckpoint,
    Scope,
    ShardDenied,
    ShardFailed,
)
from emr_log_guard.domain.rescan_report import BucketCoverage, Difference, RescanReport
from tests.unit.builders import ACCOUNT, NOW, REGION

EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:emr-log-guard-rescan"


class RescanChanges(TypedDict, total=False):
    rescan: Rescan
    failed: tuple[ShardFailed, ...]
    denied: tuple[ShardDenied, ...]
    clusters: dict[str, int]
    log_objects: dict[str, int]
    exemptions: tuple[Exemption, ...]
    checked_buckets: tuple[str, ...]
    buckets: tuple[BucketCoverage, ...]
    not_evaluated: tuple[RuleNotEvaluated, ...]
    past: tuple[PastRun, ...]
    advice: tuple[str, ...]


def a_rescan_report(
    *findings: Finding, known: Iterable[str] = (), **changes: Unpack[RescanChanges]
) -> RescanReport:
    """Make the report of a run after which these findings stood, some of them known before."""
    report = RescanReport(
        rescan=Rescan(execution=f"{EXECUTION}:run-9", started=NOW),
        finished=NOW + timedelta(seconds=75),
        place="s3://reports/rescans/run-9/report.json",
        shards=9,
        failed=(),
        clusters={"COMPLIANT": 12},
        difference=Difference.between(
            RescanCheckpoint(execution=f"{EXECUTION}:run-8", open=tuple(known)), findings
        ),
    )
    return replace(report, **changes)


def a_past_run(
    number: int, *, broken: int = 1, undetermined: int = 0, exempt: int = 0, failed_shards: int = 0
) -> PastRun:
    """Make a run some days ago."""
    return PastRun(
        name=f"run-{number}",
        started=NOW - timedelta(days=9 - number),
        scope=Scope.ALL,
        deep=False,
        compliance=Compliance.NON_COMPLIANT,
        broken={"HIGH": broken},
        undetermined=undetermined,
        exempt=exempt,
        failed_shards=failed_shards,
    )
