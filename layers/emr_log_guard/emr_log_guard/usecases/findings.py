"""Record the results of a check, and dispatch the actions that were decided.

Each step is recorded before the action that follows from it. An invocation that dies leaves a
record with a pending notification. For LEASE other invocations wait for it, as it may only be slow;
then the next one, usually the retry, notifies. docs/adr/0010-findings-table.md
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from time import sleep
from typing import assert_never
from uuid import uuid4

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.decide import (
    Action,
    Alert,
    AlertKind,
    CancelEnforcement,
    RequestEnforcement,
    ScheduleEnforcement,
    exempted,
    exemption_text,
)
from emr_log_guard.domain.decisions import Decision, finding_states
from emr_log_guard.domain.finding_record import (
    RETENTION,
    ClusterHistory,
    ClusterSnapshot,
    FindingRecord,
    Kind,
    RuleResult,
    cluster_terminated,
    enter,
    rule_disabled,
    transition,
    worth_writing,
)
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.notification_plan import (
    NotificationPlan,
    Situation,
    alert_due,
    with_notified,
)
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.reencrypted import with_notified_from
from emr_log_guard.domain.termination import (
    Stage,
    Termination,
    on_cancelled,
    on_request,
    on_request_failed,
    on_scheduled,
    on_scheduling,
)
from emr_log_guard.errors import (
    AlertInProgressError,
    AlertNotAcceptedError,
    OutdatedSnapshotError,
    StalePolicyError,
    WriteConflictError,
)
from emr_log_guard.observability import logger, record_actions
from emr_log_guard.rules import ALL_RULES
from emr_log_guard.rules.evaluation import enabled_rules
from emr_log_guard.usecases.ports import (
    Alerts,
    EnforcementQueue,
    EnforcementSchedules,
    FindingRepository,
    PolicyProvider,
)

ATTEMPTS = 12
"""How often a write that lost a race is retried, from what the other invocation wrote."""
WAITS = 5
"""How often, a second apart, to check whether another invocation has notified."""

type Decide = Callable[[Situation, str], NotificationPlan]
"""Plans the notifications and actions of a cluster, for the invocation of that id."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check of one cluster."""

    cluster_id: str
    cluster: Cluster | None
    """As just read, or as stored; None when EMR does not know it here."""
    results: Sequence[RuleResult] = ()
    known: ClusterSnapshot | None = None
    """The snapshot to store; None when nothing new was read."""
    described: bool = True
    """Whether the cluster was just read and not taken from its snapshot."""
    over: bool = False
    """Whether the cluster has terminated, which resolves its findings."""
    since: datetime | None = None
    """When the event that caused the check happened, UTC; None without an event."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a check recorded and decided."""

    result: CheckResult
    policy: Policy
    """The policy of the decision."""
    invocation: str
    """The invocation that holds the leases."""
    plan: NotificationPlan
    """The new records, and the actions."""


@dataclass(frozen=True, slots=True)
class FindingRecorder:
    """Records the changes and decisions of a check."""

    repository: FindingRepository
    clock: Callable[[], datetime]
    by: str
    """The function that decides."""
    policy: PolicyProvider | None = None
    """Re-read before a termination is announced; None when there can be none."""

    def record(
        self, result: CheckResult, policy: Policy, history: ClusterHistory | None, decide: Decide
    ) -> Recorded:
        """Record the changes, the decision, and the leases of its notifications.

        Each finding is one conditional write. After a lost race, the decision is made again from
        the new state.

        Args:
            result: The result of the check.
            policy: The policy in effect.
            history: The stored records, if they were just read.
            decide: Plans the notifications and actions.

        Raises:
            WriteConflictError: Too many concurrent writes; to be retried.
            StalePolicyError: A newer policy has decided about the cluster, or would decide about
                its termination; to be re-evaluated under the current policy.
            OutdatedSnapshotError: A notification or action would follow from a stored snapshot of
                the cluster; to be re-evaluated by a description.

        """
        invocation = uuid4().hex
        written: set[str] = set()
        exemptions: dict[str, str] = {}
        for _ in range(ATTEMPTS):
            held = history if history is not None else self.repository.read(result.cluster_id)
            history = None
            if held.decided_under_newer(policy):
                message = f"a newer policy than version {policy.version} decided about the cluster"
                raise StalePolicyError(message)
            now = self.clock()
            try:
                situation = _situation(result, policy, held, written, now)
                plan = decide(situation, invocation)
                if plan.actions and not result.described and not result.over:
                    message = f"{result.cluster_id} has to be described before anything is done"
                    raise OutdatedSnapshotError(message)
                self._store_snapshot(result, held, now)
                self._check_policy_is_current(policy, plan)
                exemptions |= _exemption_changes(held, plan, situation)
                plan = self._write(plan, policy, held, written)
            except WriteConflictError:
                continue
            recorded = Recorded(result, policy, invocation, plan)
            changed = tuple(text for rule_id, text in exemptions.items() if rule_id in written)
            if plan.actions or changed:
                self.repository.record(self._decision(recorded, changed))
            return recorded
        message = f"too many concurrent writes to the findings of {result.cluster_id}"
        raise WriteConflictError(message)

    def _store_snapshot(self, result: CheckResult, history: ClusterHistory, now: datetime) -> None:
        if result.known is None:
            return
        known = result.known.merged_into(history.known)
        if not result.described and history.known is not None:
            cluster = history.known.cluster_at(known.cluster.state)
            known = replace(known, cluster=cluster)
        if known.cluster.terminated and known.expires is None:
            known = replace(known, expires=now + RETENTION)
        if known.says_more_than(history.known):
            self.repository.write_snapshot(known, history.known)

    def _check_policy_is_current(self, policy: Policy, plan: NotificationPlan) -> None:
        """Ensure that no outdated policy announces a termination."""
        announced = any(
            isinstance(a, RequestEnforcement | ScheduleEnforcement) for a in plan.actions
        )
        if announced and self.policy is not None and self.policy(force_refresh=True) != policy:
            message = f"the policy has changed since version {policy.version} was read"
            raise StalePolicyError(message)

    def _write(
        self, plan: NotificationPlan, policy: Policy, history: ClusterHistory, written: set[str]
    ) -> NotificationPlan:
        records = dict(plan.records)
        for rule_id, record in plan.records.items():
            before = history.records.get(rule_id)
            if worth_writing(before, record):
                records[rule_id] = self.repository.write(record.decided_by(policy))
                written.add(rule_id)
                _log(before, record)
        return replace(plan, records=records)

    def _decision(self, recorded: Recorded, exemptions: tuple[str, ...]) -> Decision:
        """Return the decision, to be recorded before it is acted on."""
        plan, cluster = recorded.plan, recorded.result.cluster
        open_findings = [record.finding for record in plan.records.values() if record.open]
        notified = [f for a in plan.actions if isinstance(a, Alert) for f in a.findings]
        return Decision(
            cluster_id=recorded.result.cluster_id,
            at=self.clock(),
            by=self.by,
            invocation=recorded.invocation,
            cluster_state=cluster.state if cluster else None,
            mode=recorded.policy.mode,
            policy_version=recorded.policy.version,
            decided=(*exemptions, *(_description(action, cluster) for action in plan.actions)),
            findings=finding_states({f.rule_id: f for f in (*notified, *open_findings)}.values()),
        )


@dataclass(frozen=True, slots=True)
class Enforcers:
    """The ways to request `enforce`: now, and at the end of the grace period."""

    queue: EnforcementQueue
    schedules: EnforcementSchedules


@dataclass(frozen=True, slots=True)
class ActionDispatcher:
    """Notifies, and requests `enforce`: the one place where a decision is acted on.

    Errors propagate: the whole check is retried, and no alert is lost.
    """

    repository: FindingRepository
    alerts: Alerts
    clock: Callable[[], datetime]
    enforcers: Enforcers | None = None
    """None in a stack that may not terminate clusters."""
    wait: Callable[[float], None] = sleep

    def dispatch(self, recorded: Recorded) -> tuple[Action, ...]:
        """Notify, and request or schedule the termination if that was decided.

        Returns:
            The actions taken.

        Raises:
            AlertInProgressError: Another invocation is about to send a pending notification; to be
                retried, as it may have died.
            WriteConflictError: Too many concurrent writes; to be retried.

        """
        plan, result = recorded.plan, recorded.result
        alerts = [action for action in plan.actions if isinstance(action, Alert)]
        self._publish(recorded, alerts)
        alerted = {finding.rule_id for alert in alerts for finding in alert.findings}
        for action in plan.actions:
            if not isinstance(action, Alert):
                self._act(recorded, action, announced=not alerted.isdisjoint(plan.enforced_rules))
        record_actions(plan.actions, self.clock() - result.since if result.since else None)
        if plan.leased_by_others and self._still_pending(recorded):
            rules = ", ".join(sorted(plan.leased_by_others))
            message = f"another invocation is about to notify of {rules}"
            raise AlertInProgressError(message)
        return plan.actions

    def _publish(self, recorded: Recorded, alerts: Sequence[Alert]) -> None:
        """Publish alerts, and record at once which of them were accepted.

        The lease on a rejected alert is released, so that the retry need not wait. If SNS did not
        answer, it may have accepted the alert: then the lease is kept.
        """
        plan = recorded.plan
        accepted: defaultdict[str, list[AlertKind]] = defaultdict(list)
        try:
            for alert in alerts:
                self.alerts.publish(alert)
                for finding in alert.findings:
                    accepted[finding.rule_id].append(alert.kind)
        except AlertNotAcceptedError:
            for rule_id, former in plan.former_leases.items():
                if rule_id not in accepted:
                    release = partial(
                        FindingRecord.released, owner=recorded.invocation, former=former
                    )
                    update_record(self.repository, plan.records[rule_id], release)
            raise
        finally:
            now = self.clock()
            for rule_id, kinds in accepted.items():
                self._note_accepted(recorded, plan.records[rule_id], kinds, now)
        ours = plan.termination
        if ours is not None and any(a.kind is AlertKind.ENFORCEMENT_DONE for a in alerts):
            self._update_termination(recorded, lambda now_: replace(now_ or ours, stage=Stage.DONE))

    def _note_accepted(
        self, recorded: Recorded, record: FindingRecord, kinds: Sequence[AlertKind], now: datetime
    ) -> None:
        """Record an accepted notification over what others have written since."""
        notified = with_notified(record, kinds, now)

        def after_notifying(current: FindingRecord) -> FindingRecord:
            updated = replace(
                current.released(recorded.invocation).decided_by(recorded.policy),
                last_notified=notified.last_notified,
                notifications=max(current.notifications, notified.notifications),
                ever_notified=current.ever_notified or notified.ever_notified,
                end_notified=notified.end_notified,
                reencryption=with_notified_from(current.reencryption, notified.reencryption),
                # A resolution that another invocation recorded meanwhile is not notified by this.
                pending_since=None if current.open is record.open else current.pending_since,
            )
            # Others may have been re-encrypted meanwhile.
            return replace(updated, alert_due=alert_due(updated, recorded.policy, now))

        update_record(self.repository, record, after_notifying)

    def _act(
        self,
        recorded: Recorded,
        action: RequestEnforcement | ScheduleEnforcement | CancelEnforcement,
        *,
        announced: bool,
    ) -> None:
        """Request, schedule or cancel a termination; each stage is recorded before it starts.

        If the invocation dies, the next check continues from the record.
        """
        begun = Termination(
            cluster_id=recorded.result.cluster_id,
            stage=Stage.SCHEDULING,
            at=self.clock(),
            rules=recorded.plan.enforced_rules,
            policy_version=recorded.policy.version,
        )
        match action:
            case RequestEnforcement(verify=True):
                self._send(action)
            case RequestEnforcement():
                self._request(recorded, action, begun, announced=announced)
            case ScheduleEnforcement():
                self._schedule(recorded, action, replace(begun, due=action.at), announced=announced)
            case CancelEnforcement():
                self._send(action)
                self._update_termination(recorded, lambda now_: on_cancelled(now_, begun))

    def _request(
        self,
        recorded: Recorded,
        request: RequestEnforcement,
        begun: Termination,
        *,
        announced: bool,
    ) -> None:
        """Request `enforce` now, and cancel an earlier schedule."""
        termination = recorded.plan.termination
        if termination is not None and termination.scheduled:
            self._send(CancelEnforcement(request.cluster_arn))
        self._update_termination(
            recorded, lambda now_: on_request(now_, begun, announced=announced)
        )
        sent = False
        try:
            self._send(request)
            sent = True
        finally:
            if not sent:  # so that the next check can request it
                self._update_termination(recorded, lambda now_: on_request_failed(now_, begun))

    def _schedule(
        self,
        recorded: Recorded,
        schedule: ScheduleEnforcement,
        begun: Termination,
        *,
        announced: bool,
    ) -> None:
        """Schedule `enforce` for the end of the grace period, unless cancelled meanwhile."""
        self._update_termination(
            recorded, lambda now_: on_scheduling(now_, begun, announced=announced)
        )
        self._send(schedule)
        current = self._update_termination(recorded, lambda now_: on_scheduled(now_, begun))
        if not current.scheduled and not current.in_progress:
            self._send(CancelEnforcement(schedule.request.cluster_arn))

    def _send(self, action: RequestEnforcement | ScheduleEnforcement | CancelEnforcement) -> None:
        if self.enforcers is None:
            if isinstance(action, CancelEnforcement):
                return  # the stack's schedules were deleted with the permission
            message = "enforcement was decided in a stack that does not allow it"
            raise AssertionError(message)
        match action:
            case RequestEnforcement():
                self.enforcers.queue.send(action)
            case ScheduleEnforcement():
                self.enforcers.schedules.put(action)
            case CancelEnforcement(cluster_arn=cluster_arn):
                self.enforcers.schedules.delete(cluster_arn)
            case never:
                assert_never(never)

    def _update_termination(
        self, recorded: Recorded, change: Callable[[Termination | None], Termination]
    ) -> Termination:
        return update_termination(self.repository, recorded.result.cluster_id, change)

    def _still_pending(self, recorded: Recorded) -> bool:
        """Wait a few seconds for the holder of the lease, which is enough unless it died.

        A lease that is released says nothing: SNS may have refused the notification.
        """
        for _ in range(WAITS):
            self.wait(1)
            records = self.repository.read(recorded.result.cluster_id).records
            waiting = [records[rule_id] for rule_id in recorded.plan.leased_by_others]
            if not any(record.pending_since for record in waiting):
                return False
        return True


def update_termination(
    repository: FindingRepository,
    cluster_id: str,
    change: Callable[[Termination | None], Termination],
) -> Termination:
    """Update the record of a cluster's termination; a lost write race is retried.

    Returns:
        The new record.

    Raises:
        WriteConflictError: Too many concurrent writes.

    """
    for _ in range(ATTEMPTS):
        current = repository.read(cluster_id).termination
        changed = change(current)
        if changed == current:
            return changed
        try:
            return repository.write_termination(changed)
        except WriteConflictError:
            continue
    message = f"too many concurrent writes to the termination of {cluster_id}"
    raise WriteConflictError(message)


def update_record(
    repository: FindingRepository,
    record: FindingRecord,
    change: Callable[[FindingRecord], FindingRecord],
) -> None:
    """Update a record; a lost write race is retried.

    Raises:
        WriteConflictError: Too many concurrent writes.

    """
    current = record
    for _ in range(ATTEMPTS):
        try:
            repository.write(change(current))
        except WriteConflictError:
            current = repository.read(record.finding.cluster_id).records[record.finding.rule_id]
            continue
        return
    message = f"too many concurrent writes to {record.finding.id}"
    raise WriteConflictError(message)


def _situation(
    result: CheckResult,
    policy: Policy,
    history: ClusterHistory,
    written: Collection[str],
    now: datetime,
) -> Situation:
    """Apply a check's results to the stored records.

    Results that this check wrote before it lost a race are not applied, and counted, twice. A
    cluster read as running is terminated if the stored snapshot says so.
    """
    cluster, known = result.cluster, history.known
    if cluster is not None and known is not None and known.cluster.terminated:
        cluster = replace(cluster, state=known.cluster.state)
    results = [each for each in result.results if each.finding.rule_id not in written]
    records = _applied(
        history.records, replace(result, cluster=cluster, results=results), policy, now
    )
    return Situation(records, cluster, policy, now, history.termination)


def _applied(
    before: Mapping[str, FindingRecord], result: CheckResult, policy: Policy, now: datetime
) -> dict[str, FindingRecord]:
    """Apply each result; the termination of a cluster resolves its findings."""
    if result.over:
        return {rule_id: cluster_terminated(record, now) for rule_id, record in before.items()}
    after = dict(before)
    for each in result.results:
        rule_id = each.finding.rule_id
        record = enter(after.get(rule_id), each, policy.enforcement)
        if record is not None:
            after[rule_id] = record
    if result.cluster is not None and result.cluster.terminated:
        after |= {
            r: cluster_terminated(e, now) for r, e in after.items() if e.kind is Kind.LOG_OBJECTS
        }
    enabled = {rule.id for rule in enabled_rules(ALL_RULES, policy)}
    return {
        rule_id: rule_disabled(record, now) if record.open and rule_id not in enabled else record
        for rule_id, record in after.items()
    }


def _exemption_changes(
    before: ClusterHistory, plan: NotificationPlan, situation: Situation
) -> Iterator[tuple[str, str]]:
    """Describe, by rule id, which findings are exempt now, or no longer."""
    for rule_id, record in plan.records.items():
        held = before.records.get(rule_id)
        was = held is not None and held.finding.status is Status.EXEMPT
        if not record.open or was == (record.finding.status is Status.EXEMPT):
            continue
        if was:
            yield rule_id, f"{rule_id} is no longer exempt"
            continue
        opened = replace(record.finding, status=Status.OPEN)
        (exempt,) = exempted((opened,), situation.cluster, situation.policy, situation.now)
        yield rule_id, f"{rule_id} is {exemption_text(exempt)}"


def _description(action: Action, cluster: Cluster | None) -> str:
    match action:
        case Alert():
            rules = ", ".join(finding.rule_id for finding in action.findings)
            return f"notify {action.kind} of {rules}: {action.next_step}"
        case RequestEnforcement():
            return "request re-evaluation and termination now"
        case ScheduleEnforcement():
            return f"schedule re-evaluation and termination at {action.at:%Y-%m-%d %H:%M:%S} UTC"
        case CancelEnforcement() if cluster is not None and cluster.terminated:
            return "delete the schedule of the termination"
        case CancelEnforcement():
            return "cancel the termination"


def _log(before: FindingRecord | None, after: FindingRecord) -> None:
    change = transition(before, after)
    if change is not None and (before is None or before.open is not after.open):
        finding = after.finding
        logger.info(
            "finding changed",
            transition=change,
            cluster_id=finding.cluster_id,
            rule_id=finding.rule_id,
            compliance=finding.compliance,
        )
