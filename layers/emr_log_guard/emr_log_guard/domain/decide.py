"""From findings to actions: pure, so that what the guard does can be proven and explained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.policy import Exemption, Policy, TerminationProtection


class AlertKind(StrEnum):
    """What an alert is about. A contract: subscribers filter on it."""

    FINDING_OPENED = "finding.opened"
    FINDING_REOPENED = "finding.reopened"
    FINDING_REMINDER = "finding.reminder"
    FINDING_RESOLVED = "finding.resolved"
    ENFORCEMENT_DONE = "enforcement.done"
    ENFORCEMENT_SKIPPED = "enforcement.skipped"
    ENFORCEMENT_FAILED = "enforcement.failed"


class NextStep(StrEnum):
    """What happens to the cluster now."""

    TERMINATION_REQUESTED = "termination_requested"
    NOTHING_IN_ALERT_MODE = "nothing_in_alert_mode"
    NOTHING_ALLOWED_IN_STACK = "nothing_allowed_in_stack"
    NOTHING_ENFORCED = "nothing_enforced"
    """Enforce mode, but nothing here is proven, HIGH and listed for enforcement."""
    RESOLVED = "resolved"
    CLUSTER_ENDED = "cluster_ended"
    TERMINATION_STARTED = "termination_started"
    SPARED_PROTECTED = "spared_protected"
    SPARED_NO_LONGER_CALLED_FOR = "spared_no_longer_called_for"
    TERMINATION_REFUSED = "termination_refused"


@dataclass(frozen=True, slots=True)
class Alert:
    """Tell people: all that one check found out about one cluster."""

    kind: AlertKind
    cluster_arn: str
    cluster_name: str | None
    findings: tuple[Finding, ...]
    next_step: NextStep
    mode: Mode
    detail: str = ""
    """What else there is to say, such as the error that stopped a termination."""


@dataclass(frozen=True, slots=True)
class RequestEnforcement:
    """Hand a cluster to `enforce`, which reads everything again before it acts."""

    cluster_arn: str
    log_objects: tuple[ObjectVersion, ...] = ()
    """The log objects that the request rests on, for `enforce` to read again."""


type Action = Alert | RequestEnforcement


@dataclass(frozen=True, slots=True)
class Terminate:
    """End the cluster, for these findings."""

    findings: tuple[Finding, ...]
    lift_protection: bool


@dataclass(frozen=True, slots=True)
class Spare:
    """Leave the cluster alone."""

    reason: NextStep
    findings: tuple[Finding, ...]


def exempted(
    findings: Iterable[Finding], cluster: Cluster | None, policy: Policy, now: datetime
) -> tuple[Finding, ...]:
    """Mark the findings that an exemption in force covers, and say in them which one it was."""
    return tuple(
        finding if exemption is None else _exempt(finding, exemption)
        for finding in findings
        for exemption in [_exemption_for(finding, cluster, policy, now)]
    )


def decide(
    findings: Sequence[Finding],
    cluster: Cluster | None,
    policy: Policy,
    now: datetime,
    log_objects: tuple[ObjectVersion, ...] = (),
) -> tuple[Action, ...]:
    """Decide what follows from the findings of one check of one cluster.

    Args:
        findings: The check's findings, in any order.
        cluster: The cluster as just read; None when EMR does not know it here.
        policy: What security wants.
        now: The present moment, UTC.
        log_objects: The objects that the findings rest on, when it was log objects that were
            checked.

    Returns:
        At most one alert, with every finding that needs attention and is not exempt, and at most
        one request for enforcement, last.

    """
    found = tuple(
        sorted(
            (
                finding
                for finding in exempted(findings, cluster, policy, now)
                if finding.status is Status.OPEN and finding.needs_attention
            ),
            key=lambda finding: (-finding.severity.rank, finding.rule_id),
        )
    )
    if not found or policy.mode is Mode.OBSERVE:
        return ()
    next_step = _next_step(found, cluster, policy)
    alert = Alert(
        AlertKind.FINDING_OPENED,
        found[0].cluster_arn,
        found[0].cluster_name,
        found,
        next_step,
        policy.mode,
    )
    if next_step is not NextStep.TERMINATION_REQUESTED:
        return (alert,)
    called_for = {finding.id for finding in grounds(found, policy)}
    due = tuple(replace(f, deadline=now) if f.id in called_for else f for f in found)
    return (
        replace(alert, findings=due),
        RequestEnforcement(alert.cluster_arn, log_objects),
    )


def decide_enforcement(
    findings: Sequence[Finding], cluster: Cluster, policy: Policy, now: datetime
) -> Terminate | Spare:
    """Decide a cluster's end, from facts read a moment ago.

    Terminates only in enforce mode, in a stack that allows it, a cluster that still runs, for a
    proven finding of severity HIGH or more that the policy lists and nobody exempted.
    """
    standing = exempted(findings, cluster, policy, now)
    reasons = grounds(standing, policy)
    told = tuple(f for f in standing if f.needs_attention)
    if cluster.ended:
        return Spare(NextStep.CLUSTER_ENDED, reasons)
    if policy.mode is not Mode.ENFORCE or not policy.enforcement.allowed or not reasons:
        return Spare(NextStep.SPARED_NO_LONGER_CALLED_FOR, told)
    override = policy.enforcement.termination_protection is TerminationProtection.OVERRIDE
    if cluster.termination_protected and not override:
        return Spare(NextStep.SPARED_PROTECTED, reasons)
    return Terminate(reasons, lift_protection=cluster.termination_protected)


def grounds(findings: Iterable[Finding], policy: Policy) -> tuple[Finding, ...]:
    """Name the findings for which the policy would have a cluster terminated."""
    return tuple(
        finding
        for finding in findings
        if finding.compliance is Compliance.NON_COMPLIANT
        and finding.status is Status.OPEN
        and finding.severity.rank >= Severity.HIGH.rank
        and finding.rule_id in policy.enforcement.rules
    )


def _next_step(found: tuple[Finding, ...], cluster: Cluster | None, policy: Policy) -> NextStep:
    if cluster is not None and cluster.ended:
        return NextStep.CLUSTER_ENDED
    if policy.mode is not Mode.ENFORCE:
        return NextStep.NOTHING_IN_ALERT_MODE
    if cluster is None or not grounds(found, policy):
        return NextStep.NOTHING_ENFORCED
    if not policy.enforcement.allowed:
        return NextStep.NOTHING_ALLOWED_IN_STACK
    return NextStep.TERMINATION_REQUESTED


def _exemption_for(
    finding: Finding, cluster: Cluster | None, policy: Policy, now: datetime
) -> Exemption | None:
    tags = cluster.tags if cluster else {}
    return next(
        (
            exemption
            for exemption in policy.exemptions
            if exemption.in_force(now)
            and exemption.covers(finding.rule_id)
            and exemption.cluster.matches(finding.cluster_id, finding.cluster_name, tags)
        ),
        None,
    )


def _exempt(finding: Finding, exemption: Exemption) -> Finding:
    return replace(
        finding,
        status=Status.EXEMPT,
        evidence={
            **finding.evidence,
            "exempt_until": exemption.until.isoformat(),
            "exempt_reason": exemption.reason,
            "exempt_approved_by": exemption.approved_by,
        },
    )
