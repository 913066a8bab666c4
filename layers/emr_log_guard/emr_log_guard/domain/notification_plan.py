"""Notifications to send: the difference between the findings and what was notified of them.

A notification is pending while the two differ: nothing is lost when a function dies between
recording and notifying, because the next invocation sees the difference.
docs/adr/0010-findings-table.md
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID, uuid5

from emr_log_guard.domain.clusters import TERMINATED, Cluster
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import (
    Action,
    Alert,
    AlertKind,
    CancelEnforcement,
    NextStep,
    RequestEnforcement,
    ScheduleEnforcement,
    decide,
    enforceable_findings,
    exempted,
    without_exemption,
)
from emr_log_guard.domain.finding_record import (
    LEASE,
    REMEDIED,
    FindingRecord,
    LastNotified,
    Lease,
    logs_reencrypted,
)
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.reencrypted import (
    pending_failures,
    with_done_notified,
    with_failures_notified,
)
from emr_log_guard.domain.termination import Stage, Termination

_REMEDIATION_KINDS = frozenset({AlertKind.REMEDIATION_DONE, AlertKind.REMEDIATION_FAILED})
_OPEN_KINDS = (AlertKind.FINDING_OPENED, AlertKind.FINDING_REOPENED, AlertKind.FINDING_REMINDER)
_CLOSING_STEPS = {
    AlertKind.ENFORCEMENT_SKIPPED: NextStep.TERMINATION_CANCELLED,
    AlertKind.FINDING_RESOLVED: NextStep.RESOLVED,
    AlertKind.ENFORCEMENT_DONE: NextStep.TERMINATED,
}
_REMEDIATION_STEPS = {
    AlertKind.REMEDIATION_DONE: NextStep.LOGS_REENCRYPTED,
    AlertKind.REMEDIATION_FAILED: NextStep.LOGS_NOT_REENCRYPTED,
}
_NAMESPACE = UUID("6a1f6a52-5e0c-5a57-9d3a-2f3b0c8f1f0e")
"""The namespace of alert ids."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the decision about one cluster depends on."""

    records: Mapping[str, FindingRecord]
    """The records of the cluster, by rule id, with the newest results applied."""
    cluster: Cluster | None
    """As last read, which may be long ago; None when EMR does not know it here."""
    policy: Policy
    now: datetime
    """UTC"""
    termination: Termination | None = None
    """The state of the cluster's termination; None when there is none."""

    @property
    def terminating(self) -> bool:
        """Whether the cluster is terminating, by whomever, or EMR may have accepted it."""
        ours = self.termination
        accepted = ours is not None and (ours.in_progress or ours.may_be_accepted(self.now))
        return accepted or (self.cluster is not None and self.cluster.terminating)

    def terminated_for(self, rule_id: str) -> bool:
        """Whether the guard terminates the cluster because of this rule's finding."""
        ours = self.termination
        return ours is not None and ours.in_progress and rule_id in ours.rules


@dataclass(frozen=True, slots=True)
class NotificationPlan:
    """What to record, notify and do about one cluster."""

    records: Mapping[str, FindingRecord]
    """The new records, by rule id, with the leases of this invocation."""
    actions: tuple[Action, ...]
    """Alerts first: nothing else is done before they are accepted."""
    leased_by_others: frozenset[str]
    """The rules whose notification another invocation is about to send."""
    termination: Termination | None = None
    """The state of the cluster's termination."""
    former_leases: Mapping[str, Lease | None] = field(default_factory=dict)
    """The leases that this invocation replaced: their holders may have notified before dying."""

    @property
    def enforced_rules(self) -> tuple[str, ...]:
        """The rules for which the cluster is to be terminated."""
        return tuple(sorted(r for r, e in self.records.items() if e.finding.deadline is not None))


def plan_notifications(situation: Situation, owner: str) -> NotificationPlan:
    """Plan the pending notifications of a cluster, and the actions that follow.

    Args:
        situation: The current state; a termination in the records takes precedence.
        owner: The invocation that takes the leases.

    """
    records, cluster, now = situation.records, situation.cluster, situation.now
    if cluster is not None and any(record.final for record in records.values()):
        cluster = cluster if cluster.terminated else replace(cluster, state=TERMINATED)
        situation = replace(situation, cluster=cluster)
    decided = _decide(situation)
    shown = {
        f.rule_id: f for action in decided if isinstance(action, Alert) for f in action.findings
    }
    marked = {
        rule_id: replace(
            record,
            finding=_stored(record, shown.get(rule_id), situation),
            last_notified=_silently_updated(record, shown.get(rule_id), situation),
        )
        for rule_id, record in records.items()
    }
    situation = replace(situation, records=marked)
    due = {
        rule_id: kinds
        for rule_id, record in marked.items()
        if (kinds := pending_alerts(record, shown.get(rule_id), situation))
    }
    leased_by_others = frozenset(
        rule_id for rule_id in due if marked[rule_id].leased_by_another(owner, now)
    )
    mine = {rule_id: kinds for rule_id, kinds in due.items() if rule_id not in leased_by_others}
    lease = Lease(owner, now + LEASE)
    alerts = [
        *_open_alerts(decided, mine),
        *_closing_alerts(mine, situation),
        *_alerts_about_remediation(mine, situation),
    ]
    return NotificationPlan(
        records={
            rule_id: replace(
                record,
                lease=lease if rule_id in mine else record.lease,
                pending_since=(record.pending_since or now) if rule_id in due else None,
                alert_due=alert_due(record, situation.policy, now),
            )
            for rule_id, record in marked.items()
        },
        actions=(
            *(replace(alert, id=_alert_id(alert, marked)) for alert in alerts),
            *_enforcement(decided, mine, situation),
        ),
        leased_by_others=leased_by_others,
        termination=situation.termination,
        former_leases={rule_id: marked[rule_id].lease for rule_id in mine},
    )


def pending_alerts(
    record: FindingRecord, shown: Finding | None, situation: Situation
) -> tuple[AlertKind, ...]:
    """Return the kinds of alerts pending for a finding; empty when its state was notified.

    Args:
        record: Its record.
        shown: The finding as it is alerted now; None when it is resolved, exempt, or not alerted
            under the policy.
        situation: The policy, the time, and the cluster.

    """
    remediation = _remediation_alerts(record, situation)
    return (*_finding_alerts(record, shown, situation), *remediation)


def _remediation_alerts(record: FindingRecord, situation: Situation) -> tuple[AlertKind, ...]:
    """Return the pending alerts about the re-encryption of a finding's log objects."""
    policy, now = situation.policy, situation.now
    if not _alerted(record, policy):
        return ()
    done = record.done_due(policy.alerts.remind_every)
    failed = pending_failures(record.reencryption, now)
    return (
        *((AlertKind.REMEDIATION_DONE,) if done is not None and done <= now else ()),
        *((AlertKind.REMEDIATION_FAILED,) if failed else ()),
    )


def alert_due(record: FindingRecord, policy: Policy, now: datetime) -> datetime | None:
    """Return when an alert is due later that waits for the re-encryption of log objects."""
    if not _alerted(record, policy):
        return None
    done = record.done_due(policy.alerts.remind_every)
    waiting = record.last_notified is None and record.being_reencrypted(policy, now)
    left = record.opened_at + REMEDIED if record.open and waiting else None
    return min((due for due in (done, left) if due is not None and due > now), default=None)


def _alerted(record: FindingRecord, policy: Policy) -> bool:
    """Whether the policy has a finding of this rule and severity alerted at all."""
    severe = record.finding.severity.rank >= policy.alerts.minimum_severity.rank
    return severe and not _only_observed(record, policy)


def _finding_alerts(
    record: FindingRecord, shown: Finding | None, situation: Situation
) -> tuple[AlertKind, ...]:
    """Return the pending alerts about a finding and about the cluster's termination."""
    policy, now = situation.policy, situation.now
    notified = record.last_notified
    if (
        situation.terminated_for(record.finding.rule_id)
        and record.final
        and not record.end_notified
    ):
        return (AlertKind.ENFORCEMENT_DONE,)
    if not record.open:
        # The holder of the lease may have notified before it died: better twice than never.
        known = notified is not None or (
            record.lease is not None and not _only_observed(record, policy)
        )
        return (AlertKind.FINDING_RESOLVED,) if known else ()
    deadline = notified.deadline if notified else None
    if deadline is not None and (shown is None or shown.deadline is None):
        keeps = situation.terminating or record.final or policy.suspended
        if not keeps:
            return (AlertKind.ENFORCEMENT_SKIPPED,)
    if shown is None:
        return ()
    kinds = []
    if notified is None:
        again = record.ever_notified
        kinds.append(AlertKind.FINDING_REOPENED if again else AlertKind.FINDING_OPENED)
    elif notified.compliance is not shown.compliance:
        kinds.append(AlertKind.FINDING_OPENED)  # the violation is confirmed now
    elif now - notified.at >= policy.alerts.remind_every:
        kinds.append(AlertKind.FINDING_REMINDER)
    if shown.deadline and shown.deadline != deadline and (shown.deadline > now or not kinds):
        kinds.append(AlertKind.ENFORCEMENT_SCHEDULED)
    return tuple(kinds)


def with_notified(
    record: FindingRecord, kinds: Iterable[AlertKind], now: datetime
) -> FindingRecord:
    """Record which alerts were accepted.

    Args:
        record: The record from which the alerts were made.
        kinds: The kinds of the alerts that were accepted.
        now: When, UTC.

    """
    kinds = frozenset(kinds)
    state = record.reencryption
    if AlertKind.REMEDIATION_DONE in kinds:
        state = with_done_notified(state, now)
    if AlertKind.REMEDIATION_FAILED in kinds:
        state = with_failures_notified(state, pending_failures(state, now), now)
    record = replace(record, reencryption=state)
    if kinds <= _REMEDIATION_KINDS:
        return replace(
            record, notifications=record.notifications + 1, lease=None, pending_since=None
        )
    notified = None
    if record.open:
        deadline, known = record.finding.deadline, record.last_notified
        announced = AlertKind.ENFORCEMENT_SCHEDULED in kinds or deadline is None or deadline <= now
        notified = LastNotified(
            now if known is None or kinds & {*_OPEN_KINDS} else known.at,
            record.finding.compliance
            if known is None or kinds & {*_OPEN_KINDS}
            else known.compliance,
            deadline if announced else (known.deadline if known else None),
        )
    return replace(
        record,
        last_notified=notified,
        notifications=record.notifications + 1,
        ever_notified=True,
        end_notified=record.end_notified or AlertKind.ENFORCEMENT_DONE in kinds,
        lease=None,
        pending_since=None,
    )


def alert_id(*parts: str) -> str:
    """Make an id that is always the same for the same parts."""
    return str(uuid5(_NAMESPACE, "\n".join(parts)))


def _alert_id(alert: Alert, records: Mapping[str, FindingRecord]) -> str:
    """Make the id of a notification, which is the same whichever invocation publishes it."""
    parts = [str(alert.kind)]
    for finding in sorted(alert.findings, key=lambda f: f.id):
        record = records[finding.rule_id]
        parts += (finding.id, record.opened_at.isoformat(), str(record.notifications))
    return alert_id(*parts)


def _decide(situation: Situation) -> tuple[Action, ...]:
    """Decide regardless of past notifications; young transient findings are left out."""
    policy, now, records = situation.policy, situation.now, situation.records.values()
    open_records = [
        record
        for record in records
        if record.open
        and not record.transient_and_young(now)
        and (record.last_notified or not record.being_reencrypted(policy, now))
    ]
    reencrypted = logs_reencrypted(records, policy, now)
    findings = [
        replace(record.finding, status=Status.OPEN, over=not record.ongoing(now))
        for record in open_records
    ]
    grace_ends = {each.finding.id: each.grace_ends(policy.enforcement) for each in open_records}
    due = enforceable_findings(findings, policy, reencrypted=reencrypted)
    enforceable = {finding.rule_id for finding in due}
    objects = chain.from_iterable(
        e.objects for e in open_records if e.finding.rule_id in enforceable
    )
    return decide(
        findings,
        situation.cluster,
        policy,
        now,
        grace_ends,
        tuple(dict.fromkeys(objects)),
        reencrypted=reencrypted,
    )


def _stored(record: FindingRecord, shown: Finding | None, situation: Situation) -> Finding:
    """Return a finding as it is stored: with its exemption and deadline."""
    if not record.open:
        return record.finding
    unmarked = without_exemption(record.finding)
    (marked,) = exempted((unmarked,), situation.cluster, situation.policy, situation.now)
    deadline = shown.deadline if shown else None
    if situation.policy.suspended and record.last_notified:
        deadline = record.last_notified.deadline
    return replace(marked, deadline=deadline)


def _only_observed(record: FindingRecord, policy: Policy) -> bool:
    return policy.mode_of(record.finding.rule_id) is Mode.OBSERVE


def _silently_updated(
    record: FindingRecord, shown: Finding | None, situation: Situation
) -> LastNotified | None:
    """Update the last notification where its change needs no alert.

    After an alert that a termination was skipped, there is none that it is cancelled.
    """
    notified, policy, termination = record.last_notified, situation.policy, situation.termination
    if notified is None:
        return None
    if _only_observed(record, policy) or (record.open and record.final):
        return replace(notified, deadline=None) if record.open else None
    skipped = termination is not None and termination.skip_notified and not policy.suspended
    if skipped and record.open and (shown is None or shown.deadline is None):
        return replace(notified, deadline=None)
    return notified


def _open_alerts(
    decided: Sequence[Action], mine: Mapping[str, Sequence[AlertKind]]
) -> Iterable[Alert]:
    """Make the alerts about open findings, one for each kind."""
    for action in decided:
        if isinstance(action, Alert):
            for kind in (*_OPEN_KINDS, AlertKind.ENFORCEMENT_SCHEDULED):
                found = tuple(f for f in action.findings if kind in mine.get(f.rule_id, ()))
                if found:
                    yield replace(action, kind=kind, findings=found)


def _closing_alerts(
    mine: Mapping[str, Sequence[AlertKind]], situation: Situation
) -> Iterable[Alert]:
    """Make the alerts about resolved findings, and about cancelled and finished terminations."""
    records, cluster = situation.records, situation.cluster
    for kind, step in _CLOSING_STEPS.items():
        found = sorted(
            (records[rule_id].finding for rule_id, kinds in mine.items() if kind in kinds),
            key=lambda f: (-f.severity.rank, f.rule_id),
        )
        if not found:
            continue
        ended = kind is AlertKind.FINDING_RESOLVED and cluster is not None and cluster.terminating
        yield Alert(
            kind,
            found[0].cluster_arn,
            found[0].cluster_name,
            tuple(found),
            NextStep.CLUSTER_TERMINATED if ended else step,
            situation.policy.mode,
            f"The cluster is {cluster.state}." if cluster is not None and ended else "",
            cluster_tags=cluster.tags if cluster else {},
        )


def _alerts_about_remediation(
    mine: Mapping[str, Sequence[AlertKind]], situation: Situation
) -> Iterable[Alert]:
    """Make one alert for each rule of which log objects were re-encrypted, or could not be."""
    cluster, now = situation.cluster, situation.now
    for rule_id, kinds in mine.items():
        finding, state = situation.records[rule_id].finding, situation.records[rule_id].reencryption
        left = finding.occurrences if situation.records[rule_id].open else 0
        hours = situation.policy.alerts.remind_every // timedelta(hours=1)
        details = {
            AlertKind.REMEDIATION_DONE: (
                f"{_were(state.count)} re-encrypted so far: {state.former_keys}, with "
                f"{', '.join(state.keys)}. Their readers need kms:Decrypt for "
                f"{'that key' if len(state.keys) == 1 else 'those keys'}. "
                f"{f'{_are(left)} left' if left else 'None is left'}. Further ones are reported in "
                f"{hours} hours at the earliest."
            ),
            AlertKind.REMEDIATION_FAILED: (
                "Why they are not re-encrypted, and what to do: "
                f"{'; '.join(pending_failures(state, now))}."
            ),
        }
        for kind, detail in details.items():
            if kind in kinds:
                yield Alert(
                    kind,
                    finding.cluster_arn,
                    finding.cluster_name,
                    (finding,),
                    _REMEDIATION_STEPS[kind],
                    situation.policy.mode_of(rule_id),
                    detail,
                    cluster_tags=cluster.tags if cluster else {},
                )


def _were(objects: int) -> str:
    return "1 log object was" if objects == 1 else f"{objects:,} log objects were"


def _are(objects: int) -> str:
    return "1 log object is" if objects == 1 else f"{objects:,} log objects are"


def _enforcement(
    decided: Sequence[Action], mine: Mapping[str, Sequence[AlertKind]], situation: Situation
) -> Iterable[Action]:
    """Request, schedule or cancel enforcement, unless that is done already.

    Nothing is requested or scheduled before its notification is accepted, or about to be sent.
    """
    policy, now, cluster = situation.policy, situation.now, situation.cluster
    records, termination = situation.records, situation.termination
    if policy.suspended:
        return
    if termination and termination.verification_missed(now) and cluster and not cluster.terminated:
        yield RequestEnforcement(cluster.arn, verify=True)
        return
    wanted = next((action for action in decided if not isinstance(action, Alert)), None)
    notified = all(
        rule_id in mine or record.announced_deadline == record.finding.deadline
        for rule_id, record in records.items()
        if record.finding.deadline is not None
    )
    match wanted:
        case RequestEnforcement():
            free = termination is None or termination.may_be_requested(now, policy.version)
            if notified and free:
                yield wanted
        case ScheduleEnforcement(at=at):
            already = (
                termination is not None
                and termination.stage is Stage.SCHEDULED
                and termination.due == at
            )
            if notified and not already and not (termination and termination.in_progress):
                yield wanted
        case _:
            yield from _cancel_schedule(situation)


def _cancel_schedule(situation: Situation) -> Iterable[Action]:
    """Cancel the schedule where one may exist, even a due one: it may fire a minute late."""
    cluster, termination = situation.cluster, situation.termination
    if cluster is not None and cluster.terminating and not cluster.terminated:
        return
    over = cluster is not None and cluster.terminated
    if termination is not None and (
        termination.scheduled or (over and termination.due is not None)
    ):
        arns = [record.finding.cluster_arn for record in situation.records.values()]
        yield CancelEnforcement(cluster.arn if cluster else arns[0])
