"""Deciding where every grace is over."""

from collections.abc import Sequence
from datetime import datetime

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.decide import Action, Skip, Terminate, decide, decide_enforcement
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.policy import Policy


def decide_now(
    findings: Sequence[Finding],
    cluster: Cluster | None,
    policy: Policy,
    now: datetime,
    log_objects: tuple[ObjectVersion, ...] = (),
) -> tuple[Action, ...]:
    return decide(findings, cluster, policy, now, _over(findings, now), log_objects)


def enforcement_now(
    findings: Sequence[Finding], cluster: Cluster, policy: Policy, now: datetime
) -> Terminate | Skip:
    return decide_enforcement(
        findings, cluster, policy, now, _over(findings, now), [f.id for f in findings]
    )


def _over(findings: Sequence[Finding], now: datetime) -> dict[str, datetime]:
    return {finding.id: now for finding in findings}
