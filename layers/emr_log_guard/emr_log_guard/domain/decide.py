"""From findings to actions: pure functions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from emr_log_guard.domain.arn import bucket_named
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.policy import Exemption, Policy, TerminationProtection
from emr_log_guard.domain.unresolved import Unresolved


class AlertKind(StrEnum):
    """What an alert is about. A contract: subscribers filter on it."""

    FINDING_OPENED = "finding.opened"
    FINDING_REOPENED = "finding.reopened"
    FINDING_REMINDER = "finding.reminder"
    FINDING_RESOLVED = "finding.resolved"
    ENFORCEMENT_SCHEDULED = "enforcement.scheduled"
    ENFORCEMENT_DONE = "enforcement.done"
    ENFORCEMENT_SKIPPED = "enforcement.skipped"
    ENFORCEMENT_FAILED = "enforcement.failed"
    REMEDIATION_DONE = "remediation.done"
    REMEDIATION_FAILED = "remediation.failed"
    POLICY_INVALID = "policy.invalid"
    POLICY_CHANGED = "policy.changed"
    RESCAN_DONE = "rescan.done"


class NextStep(StrEnum):
    """What happens to the cluster next."""

    TERMINATION_REQUESTED = "termination_requested"
    TERMINATION_SCHEDULED = "termination_scheduled"
    TERMINATION_CANCELLED = "termination_cancelled"
    NOTHING_IN_ALERT_MODE = "nothing_in_alert_mode"
    NOTHING_ALLOWED_IN_STACK = "nothing_allowed_in_stack"
    NOTHING_WITHOUT_POLICY = "nothing_without_policy"
    """The stored policy is invalid or could not be read: no termination is decided."""
    NOTHING_ENFORCED = "nothing_enforced"
    """Enforce mode, but no finding is NON_COMPLIANT, HIGH and listed for enforcement, or all are
    about a log bucket."""
    RESOLVED = "resolved"
    CLUSTER_TERMINATED = "cluster_terminated"
    TERMINATION_STARTED = "termination_started"
    TERMINATED = "terminated"
    STILL_RUNNING = "still_running"
    """EMR accepted the request to terminate, but the cluster is still running."""
    SKIPPED_IN_GRACE = "skipped_in_grace"
    SKIPPED_PROTECTED = "skipped_protected"
    SKIPPED_NO_LONGER_REQUIRED = "skipped_no_longer_required"
    SKIPPED_SUPPRESSED = "skipped_suppressed"
    """The findings that termination is based on are suppressed in Security Hub."""
    SKIPPED_UNDETERMINED = "skipped_undetermined"
    """A fact that termination depends on could not be read."""
    SKIPPED_NOT_NOTIFIED = "skipped_not_notified"
    """No notification of the findings was accepted yet."""
    TERMINATION_REFUSED = "termination_refused"
    NOTHING_WHILE_REENCRYPTED = "nothing_while_reencrypted"
    """Enforce mode, but all logs of the cluster are re-encrypted as they are written."""
    LOGS_REENCRYPTED = "logs_reencrypted"
    LOGS_NOT_REENCRYPTED = "logs_not_reencrypted"


REENCRYPTED_INSTEAD = frozenset({"EMRLOG-002", "EMRLOG-004"})
"""The rules about the cluster that re-encryption of its logs makes up for."""

REENCRYPTED = (
    "Its logs are re-encrypted within a minute of being written; relaunch it with a log key, so "
    "that they need not be."
)


@dataclass(frozen=True, slots=True)
class Alert:
    """A notification: everything that one check found out about one cluster."""

    kind: AlertKind
    cluster_arn: str
    cluster_name: str | None
    findings: tuple[Finding, ...]
    next_step: NextStep
    mode: Mode
    detail: str = ""
    """Details, such as the error that prevented a termination."""
    expired_exemptions: tuple[Exemption, ...] = ()
    """The exemptions that would cover one of the findings, had they not expired."""
    cluster_tags: Mapping[str, str] = field(default_factory=dict)
    """The cluster's tags as last read: alerts are routed by them."""
    id: str = ""
    """The same for each delivery of the same notification: subscribers de-duplicate by it."""
    stack: str = ""
    """The stack that sent it, for commands that change its policy."""

    @property
    def bucket(self) -> str | None:
        """The name of the log bucket that it is about; None when it is about a cluster."""
        return bucket_named(self.cluster_arn)


@dataclass(frozen=True, slots=True)
class RequestEnforcement:
    """Send a cluster to `enforce`, which re-evaluates it before it acts."""

    cluster_arn: str
    log_objects: tuple[ObjectVersion, ...] = ()
    """The log objects behind the findings, for `enforce` to re-read."""
    verify: bool = False
    """Whether to verify that the cluster has terminated."""


@dataclass(frozen=True, slots=True)
class ScheduleEnforcement:
    """Schedule a request for the end of the grace period; it replaces an earlier schedule."""

    request: RequestEnforcement
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelEnforcement:
    """Remove a cluster's schedule, if there is one."""

    cluster_arn: str


type Action = Alert | RequestEnforcement | ScheduleEnforcement | CancelEnforcement


@dataclass(frozen=True, slots=True)
class Terminate:
    """Terminate the cluster, for these findings."""

    findings: tuple[Finding, ...]
    lift_protection: bool


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not terminate the cluster."""

    reason: NextStep
    findings: tuple[Finding, ...]
    detail: str = ""
    """What could not be read, if that is the reason."""


def exempted(
    findings: Iterable[Finding], cluster: Cluster | None, policy: Policy, now: datetime
) -> tuple[Finding, ...]:
    """Mark the findings that a valid exemption covers, with the exemption in their evidence."""
    return tuple(
        finding if exemption is None else _exempt(finding, exemption)
        for finding in findings
        for exemption in [_exemption_for(finding, cluster, policy, now)]
    )


def reencrypted_rules(cluster: Cluster, policy: Policy, now: datetime) -> frozenset[str]:
    """Return the rules for whose violations a cluster's log objects are re-encrypted."""
    exemptions = [
        each
        for each in policy.exemptions
        if each.in_force(now) and each.cluster.matches(cluster.id, cluster.name, cluster.tags)
    ]
    return frozenset(
        rule_id
        for rule_id in policy.reencryption.rules
        if policy.reencrypts(rule_id) and not any(each.covers(rule_id) for each in exemptions)
    )


def exemption_text(finding: Finding) -> str:
    """Say until when an exempt finding is exempt, why, and who approved it."""
    evidence = finding.evidence
    return (
        f"exempt until {evidence['exempt_until']}: {evidence['exempt_reason']} "
        f"(approved by {evidence['exempt_approved_by']})"
    )


def decide(  # noqa: PLR0913, PLR0917 - all that a decision may rest on
    findings: Sequence[Finding],
    cluster: Cluster | None,
    policy: Policy,
    now: datetime,
    grace_ends: Mapping[str, datetime],
    log_objects: tuple[ObjectVersion, ...] = (),
    *,
    reencrypted: bool = False,
) -> tuple[Action, ...]:
    """Decide what follows from all open findings of one cluster, alerted or not.

    Args:
        findings: The findings, in any order.
        cluster: The cluster as just read; None when EMR does not know it here.
        policy: The policy in effect.
        now: The present moment, UTC.
        grace_ends: When a cluster may be terminated for a finding, by the finding's id.
        log_objects: The bad log objects behind the findings.
        reencrypted: Whether all logs of the cluster are re-encrypted as they are written.

    Returns:
        At most one alert, with every finding that needs attention, is not exempt, and is alerted
        by its rule's mode and its severity; and last, at most one request for enforcement, or its
        schedule, at the end of the shortest grace period. A finding that a cluster is terminated
        for is always alerted.

    """
    found = tuple(
        sorted(
            (
                finding
                for finding in exempted(findings, cluster, policy, now)
                if finding.status is Status.OPEN
                and finding.needs_attention
                and policy.mode_of(finding.rule_id) is not Mode.OBSERVE
            ),
            key=lambda finding: (-finding.severity.rank, finding.rule_id),
        )
    )
    next_step = _next_step(found, cluster, policy, reencrypted=reencrypted)
    requested = next_step is NextStep.TERMINATION_REQUESTED
    due = enforceable_findings(found if requested else (), policy, reencrypted=reencrypted)
    deadline = min((grace_ends[finding.id] for finding in due), default=now)
    if deadline > now:
        next_step = NextStep.TERMINATION_SCHEDULED
    alerted = tuple(
        replace(finding, deadline=deadline if finding in due else None)
        for finding in found
        if finding in due or finding.severity.rank >= policy.alerts.minimum_severity.rank
    )
    if not alerted:
        return ()
    alert = Alert(
        AlertKind.FINDING_OPENED,
        alerted[0].cluster_arn,
        alerted[0].cluster_name,
        alerted,
        next_step,
        policy.strongest_mode(finding.rule_id for finding in alerted),
        REENCRYPTED if reencrypted else "",
        expired_exemptions=expired_exemptions(alerted, cluster, policy, now),
        cluster_tags=cluster.tags if cluster else {},
    )
    request = RequestEnforcement(alert.cluster_arn, log_objects)
    match next_step:
        case NextStep.TERMINATION_SCHEDULED:
            return (alert, ScheduleEnforcement(request, deadline))
        case NextStep.TERMINATION_REQUESTED:
            return (alert, request)
        case _:
            return (alert,)


def decide_enforcement(  # noqa: PLR0913, PLR0917 - all that a decision may rest on
    findings: Sequence[Finding],
    cluster: Cluster,
    policy: Policy,
    now: datetime,
    grace_ends: Mapping[str, datetime],
    notified: Collection[str],
    *,
    reencrypted: bool = False,
) -> Terminate | Skip:
    """Decide whether to terminate a cluster, from facts that were just read.

    Terminates only in a stack that allows it, a cluster that still runs, for a NON_COMPLIANT
    finding of severity HIGH or more, of a rule in enforce mode that the policy lists, without an
    exemption, once the grace period since it opened is over. A finding that never opened has no
    such period. Findings in observe mode are not alerted here either.

    Args:
        findings: The findings, as just evaluated.
        cluster: The cluster, as just read.
        policy: The policy in effect.
        now: The present moment, UTC.
        grace_ends: When a cluster may be terminated for a finding, by the finding's id.
        notified: The ids of the findings of which a notification was accepted.
        reencrypted: Whether all logs of the cluster are re-encrypted as they are written.

    """
    marked = exempted(findings, cluster, policy, now)
    reasons = enforceable_findings(marked, policy, reencrypted=reencrypted)
    alerted = tuple(
        finding
        for finding in marked
        if finding.needs_attention and policy.mode_of(finding.rule_id) is not Mode.OBSERVE
    )
    if cluster.terminating:
        return Skip(NextStep.CLUSTER_TERMINATED, reasons)
    if not policy.enforcement.allowed or not reasons:
        return Skip(NextStep.SKIPPED_NO_LONGER_REQUIRED, alerted)
    overdue = tuple(f for f in reasons if f.id in grace_ends and grace_ends[f.id] <= now)
    if not overdue:
        return Skip(NextStep.SKIPPED_IN_GRACE, reasons)
    overdue = tuple(f for f in overdue if f.id in notified)
    if not overdue:
        return Skip(NextStep.SKIPPED_NOT_NOTIFIED, reasons)
    override = policy.enforcement.termination_protection is TerminationProtection.OVERRIDE
    if cluster.termination_protected and not override:
        return Skip(NextStep.SKIPPED_PROTECTED, overdue)
    return Terminate(overdue, lift_protection=cluster.termination_protected)


def unless_suppressed(
    decision: Terminate, suppressed: frozenset[str] | Unresolved
) -> Terminate | Skip:
    """Drop the findings that are suppressed in Security Hub from a decision.

    Args:
        decision: The decision.
        suppressed: The ids of the suppressed findings. If these could not be read, nothing is
            terminated.

    """
    if isinstance(suppressed, Unresolved):
        return Skip(NextStep.SKIPPED_UNDETERMINED, decision.findings, suppressed.reason)
    left = tuple(finding for finding in decision.findings if finding.id not in suppressed)
    if not left:
        return Skip(NextStep.SKIPPED_SUPPRESSED, decision.findings)
    return replace(decision, findings=left)


def enforceable_findings(
    findings: Iterable[Finding], policy: Policy, *, reencrypted: bool = False
) -> tuple[Finding, ...]:
    """Return the findings for which the policy has a cluster terminated.

    Past violations are only evidence, and a log bucket is no cluster's mistake: termination would
    prevent nothing. Nor would it where all logs of the cluster are re-encrypted.
    """
    instead = reencrypted and policy.enforcement.unless_reencrypted
    return tuple(
        finding
        for finding in findings
        if finding.compliance is Compliance.NON_COMPLIANT
        and finding.status is Status.OPEN
        and not finding.over
        and finding.bucket is None
        and finding.severity.rank >= Severity.HIGH.rank
        and finding.rule_id in policy.enforcement.rules
        and not (instead and finding.rule_id in REENCRYPTED_INSTEAD)
        and policy.mode_of(finding.rule_id) is Mode.ENFORCE
    )


def expired_exemptions(
    findings: Iterable[Finding], cluster: Cluster | None, policy: Policy, now: datetime
) -> tuple[Exemption, ...]:
    """Return the exemptions that would cover one of the open findings, had they not expired."""
    open_findings = [finding for finding in findings if finding.status is Status.OPEN]
    return tuple(
        exemption
        for exemption in policy.exemptions
        if not exemption.in_force(now)
        and any(_covers(exemption, finding, cluster) for finding in open_findings)
    )


def _next_step(
    found: tuple[Finding, ...], cluster: Cluster | None, policy: Policy, *, reencrypted: bool
) -> NextStep:
    if cluster is not None and cluster.terminating:
        return NextStep.CLUSTER_TERMINATED
    if policy.strongest_mode(finding.rule_id for finding in found) is not Mode.ENFORCE:
        return NextStep.NOTHING_IN_ALERT_MODE
    if cluster is None or not enforceable_findings(found, policy, reencrypted=reencrypted):
        kept = cluster is not None and enforceable_findings(found, policy)
        return NextStep.NOTHING_WHILE_REENCRYPTED if kept else NextStep.NOTHING_ENFORCED
    if policy.suspended:
        return NextStep.NOTHING_WITHOUT_POLICY
    if not policy.enforcement.allowed:
        return NextStep.NOTHING_ALLOWED_IN_STACK
    return NextStep.TERMINATION_REQUESTED


def _exemption_for(
    finding: Finding, cluster: Cluster | None, policy: Policy, now: datetime
) -> Exemption | None:
    return next(
        (
            exemption
            for exemption in policy.exemptions
            if exemption.in_force(now) and _covers(exemption, finding, cluster)
        ),
        None,
    )


def without_exemption(finding: Finding) -> Finding:
    """Remove the mark of an exemption from an unresolved finding."""
    evidence = {k: v for k, v in finding.evidence.items() if not k.startswith("exempt_")}
    return replace(finding, status=Status.OPEN, evidence=evidence)


def _covers(exemption: Exemption, finding: Finding, cluster: Cluster | None) -> bool:
    tags = cluster.tags if cluster else {}
    return exemption.covers(finding.rule_id) and exemption.cluster.matches(
        finding.cluster_id, finding.cluster_name, tags
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
