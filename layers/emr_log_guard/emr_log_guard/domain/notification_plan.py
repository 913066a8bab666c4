"""What is news: what people were told of each finding, held against what stands.

An alert is owed for as long as the two differ: nothing is lost when a function dies between
writing and telling, for whoever comes next sees the difference. docs/adr/0010-the-ledger.md
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from uuid import UUID, uuid5

from emr_log_guard.domain.clusters import GONE, Cluster
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
)
from emr_log_guard.domain.finding_record import LEASE, FindingRecord, LastNotified, Lease
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.termination import Stage, Termination

_STANDING = (AlertKind.FINDING_OPENED, AlertKind.FINDING_REOPENED, AlertKind.FINDING_REMINDER)
_OVER = {
    AlertKind.ENFORCEMENT_SKIPPED: NextStep.TERMINATION_CANCELLED,
    AlertKind.FINDING_RESOLVED: NextStep.RESOLVED,
    AlertKind.ENFORCEMENT_DONE: NextStep.TERMINATED,
}
_NAMESPACE = UUID("6a1f6a52-5e0c-5a57-9d3a-2f3b0c8f1f0e")
"""What the ids of alerts are made in, so that they meet no other ids."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the decision about one cluster rests on."""

    records: Mapping[str, FindingRecord]
    """All that is remembered of the cluster, by rule id, the newest results entered."""
    cluster: Cluster | None
    """As last read, be it long ago; None when EMR does not know it here."""
    policy: Policy
    now: datetime
    """UTC"""
    termination: Termination | None = None
    """Where the cluster's termination stands; None when there never was one."""

    @property
    def terminating(self) -> bool:
        """Whether the cluster is terminating, whoever wanted it, or EMR may have accepted it."""
        ours = self.termination
        accepted = ours is not None and (ours.under_way or ours.may_be_accepted(self.now))
        return accepted or (self.cluster is not None and self.cluster.terminating)

    def terminated_for(self, rule_id: str) -> bool:
        """Say whether the guard has the cluster terminated because of this rule's finding."""
        ours = self.termination
        return ours is not None and ours.under_way and rule_id in ours.rules


@dataclass(frozen=True, slots=True)
class NotificationPlan:
    """What is to be written down, told and done about one cluster."""

    records: Mapping[str, FindingRecord]
    """What stands, by rule id, with the claims of whoever is about to tell."""
    actions: tuple[Action, ...]
    """Alerts first: nothing else is done before their notifications were accepted."""
    theirs: frozenset[str]
    """The rules of which another invocation is about to tell."""
    termination: Termination | None = None
    """Where the cluster's termination stands."""
    former_leases: Mapping[str, Lease | None] = field(default_factory=dict)
    """The claims that this invocation's own replaced: who had them may have told before it died."""

    @property
    def enforced_rules(self) -> tuple[str, ...]:
        """The rules for which the cluster is to be terminated, as the entries have them."""
        return tuple(sorted(r for r, e in self.records.items() if e.finding.deadline is not None))


def plan_notifications(situation: Situation, owner: str) -> NotificationPlan:
    """Say what follows from what stands about a cluster, and is not known yet.

    Args:
        situation: What stands. What the entries know of the cluster's end counts.
        owner: Who is about to tell.

    """
    records, cluster, now = situation.records, situation.cluster, situation.now
    if cluster is not None and any(record.final for record in records.values()):
        cluster = cluster if cluster.terminated else replace(cluster, state=GONE)
        situation = replace(situation, cluster=cluster)
    decided = _decide(situation)
    shown = {
        f.rule_id: f for action in decided if isinstance(action, Alert) for f in action.findings
    }
    marked = {
        rule_id: replace(
            record,
            finding=_stored(record, shown.get(rule_id), situation),
            last_notified=_forgotten_silently(record, shown.get(rule_id), situation),
        )
        for rule_id, record in records.items()
    }
    situation = replace(situation, records=marked)
    due = {
        rule_id: kinds
        for rule_id, record in marked.items()
        if (kinds := pending_alerts(record, shown.get(rule_id), situation))
    }
    theirs = frozenset(rule_id for rule_id in due if marked[rule_id].leased_by_another(owner, now))
    mine = {rule_id: kinds for rule_id, kinds in due.items() if rule_id not in theirs}
    lease = Lease(owner, now + LEASE)
    alerts = [*_standing(decided, mine), *_over(mine, situation)]
    return NotificationPlan(
        records={
            rule_id: replace(
                record,
                lease=lease if rule_id in mine else record.lease,
                pending_since=(record.pending_since or now) if rule_id in due else None,
            )
            for rule_id, record in marked.items()
        },
        actions=(
            *(replace(alert, id=_alert_id(alert, marked)) for alert in alerts),
            *_enforcement(decided, mine, situation),
        ),
        theirs=theirs,
        termination=situation.termination,
        former_leases={rule_id: marked[rule_id].lease for rule_id in mine},
    )


def pending_alerts(
    record: FindingRecord, shown: Finding | None, situation: Situation
) -> tuple[AlertKind, ...]:
    """Say what people should hear of a finding; nothing when they know how it stands.

    Args:
        record: What is remembered of it.
        shown: The finding as people are to see it now; None when it is resolved, exempt, or not to
            be shown by the policy.
        situation: The policy, the time, and what becomes of the cluster.

    """
    policy, now = situation.policy, situation.now
    notified = record.last_notified
    if (
        situation.terminated_for(record.finding.rule_id)
        and record.final
        and not record.end_notified
    ):
        return (AlertKind.ENFORCEMENT_DONE,)
    if not record.open:
        # Who claimed to tell may have told before it died: better a word too much.
        known = notified is not None or (record.lease is not None and not _silent(record, policy))
        return (AlertKind.FINDING_RESOLVED,) if known else ()
    deadline = notified.deadline if notified else None
    if deadline is not None and (shown is None or shown.deadline is None):
        stands = situation.terminating or record.final or policy.suspended
        if not stands:
            return (AlertKind.ENFORCEMENT_SKIPPED,)
    if shown is None:
        return ()
    kinds = []
    if notified is None:
        again = record.ever_notified
        kinds.append(AlertKind.FINDING_REOPENED if again else AlertKind.FINDING_OPENED)
    elif notified.compliance is not shown.compliance:
        kinds.append(AlertKind.FINDING_OPENED)  # what was in doubt is proven now
    elif now - notified.at >= policy.alerts.remind_every:
        kinds.append(AlertKind.FINDING_REMINDER)
    if shown.deadline and shown.deadline != deadline and (shown.deadline > now or not kinds):
        kinds.append(AlertKind.ENFORCEMENT_SCHEDULED)
    return tuple(kinds)


def with_notified(
    record: FindingRecord, kinds: Iterable[AlertKind], now: datetime
) -> FindingRecord:
    """Write down which alerts about it were accepted, and so what people know.

    Args:
        record: The entry as it stood when the alerts were made.
        kinds: The kinds of the alerts that were accepted.
        now: When, UTC.

    """
    kinds = frozenset(kinds)
    notified = None
    if record.open:
        deadline, known = record.finding.deadline, record.last_notified
        announced = AlertKind.ENFORCEMENT_SCHEDULED in kinds or deadline is None or deadline <= now
        notified = LastNotified(
            now if known is None or kinds & {*_STANDING} else known.at,
            record.finding.compliance
            if known is None or kinds & {*_STANDING}
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
    """Make an id that the same parts always have."""
    return str(uuid5(_NAMESPACE, "\n".join(parts)))


def _alert_id(alert: Alert, records: Mapping[str, FindingRecord]) -> str:
    """Make the id that every delivery of this notification has, whoever publishes it."""
    parts = [str(alert.kind)]
    for finding in sorted(alert.findings, key=lambda f: f.id):
        record = records[finding.rule_id]
        parts += (finding.id, record.opened_at.isoformat(), str(record.notifications))
    return alert_id(*parts)


def _decide(situation: Situation) -> tuple[Action, ...]:
    """Decide as if nobody knew anything; what is transient and young is left out."""
    policy, now, records = situation.policy, situation.now, situation.records.values()
    standing = [record for record in records if record.open and not record.transient_and_young(now)]
    findings = [
        replace(record.finding, status=Status.OPEN, over=not record.ongoing(now))
        for record in standing
    ]
    grace_ends = {each.finding.id: each.grace_ends(policy.enforcement) for each in standing}
    enforceable = {finding.rule_id for finding in enforceable_findings(findings, policy)}
    objects = chain.from_iterable(e.objects for e in standing if e.finding.rule_id in enforceable)
    return decide(
        findings,
        situation.cluster,
        policy,
        now,
        grace_ends,
        tuple(dict.fromkeys(objects)),
    )


def _stored(record: FindingRecord, shown: Finding | None, situation: Situation) -> Finding:
    """Mark a finding as exempt or not, and with its deadline, as other tools read it."""
    if not record.open:
        return record.finding
    standing = replace(record.finding, status=Status.OPEN)
    (marked,) = exempted((standing,), situation.cluster, situation.policy, situation.now)
    deadline = shown.deadline if shown else None
    if situation.policy.suspended and record.last_notified:
        deadline = record.last_notified.deadline
    return replace(record.finding, status=marked.status, deadline=deadline)


def _silent(record: FindingRecord, policy: Policy) -> bool:
    return policy.mode_of(record.finding.rule_id) is Mode.OBSERVE


def _forgotten_silently(
    record: FindingRecord, shown: Finding | None, situation: Situation
) -> LastNotified | None:
    """Forget without a word what was told, where nobody is to hear, or need hear, of it.

    Whoever was notified that a termination was skipped need not hear that it is cancelled.
    """
    notified, policy, termination = record.last_notified, situation.policy, situation.termination
    if notified is None:
        return None
    if _silent(record, policy) or (record.open and record.final):
        return replace(notified, deadline=None) if record.open else None
    skipped = termination is not None and termination.skip_notified and not policy.suspended
    if skipped and record.open and (shown is None or shown.deadline is None):
        return replace(notified, deadline=None)
    return notified


def _standing(
    decided: Sequence[Action], mine: Mapping[str, Sequence[AlertKind]]
) -> Iterable[Alert]:
    """Tell of what stands and is not known, an alert for each kind of news."""
    for action in decided:
        if isinstance(action, Alert):
            for kind in (*_STANDING, AlertKind.ENFORCEMENT_SCHEDULED):
                found = tuple(f for f in action.findings if kind in mine.get(f.rule_id, ()))
                if found:
                    yield replace(action, kind=kind, findings=found)


def _over(mine: Mapping[str, Sequence[AlertKind]], situation: Situation) -> Iterable[Alert]:
    """Tell of what people need not worry about any more."""
    records, cluster = situation.records, situation.cluster
    for kind, step in _OVER.items():
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


def _enforcement(
    decided: Sequence[Action], mine: Mapping[str, Sequence[AlertKind]], situation: Situation
) -> Iterable[Action]:
    """Ask for enforcement, schedule it, or call it off, where that is not done already.

    Nothing is asked for or scheduled of which no notification was accepted, or is about to be.
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
            stands = (
                termination is not None
                and termination.stage is Stage.SCHEDULED
                and termination.due == at
            )
            if notified and not stands and not (termination and termination.under_way):
                yield wanted
        case _:
            yield from _call_off(situation)


def _call_off(situation: Situation) -> Iterable[Action]:
    """Remove the schedule where one may stand, also when it is due: it may fire a minute late."""
    cluster, termination = situation.cluster, situation.termination
    if cluster is not None and cluster.terminating and not cluster.terminated:
        return
    over = cluster is not None and cluster.terminated
    if termination is not None and (
        termination.scheduled or (over and termination.due is not None)
    ):
        arns = [record.finding.cluster_arn for record in situation.records.values()]
        yield CancelEnforcement(cluster.arn if cluster else arns[0])
