"""Record what a check found, and dispatch what was decided about it.

Each step is written down before what follows from it is done. Whoever dies on the way leaves a
record whose notification is pending. For CLAIM it is left to them, for they may only be slow; then
whoever comes next, the retry first of all, notifies. docs/adr/0010-the-ledger.md
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
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
from emr_log_guard.domain.notification_plan import NotificationPlan, Situation, with_notified
from emr_log_guard.domain.policy import Policy
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
    PolicyInForce,
)

ATTEMPTS = 12
"""How often a write that lost a race is made again from what the other invocation wrote."""
WAITS = 5
"""How often, a second apart, it is looked whether another invocation has notified."""

type Decide = Callable[[Situation, str], NotificationPlan]
"""Says what follows from what stands about a cluster, for the invocation of that name."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All that one check found out about one cluster."""

    cluster_id: str
    cluster: Cluster | None
    """As it was just read, or as it is remembered; None when EMR does not know it here."""
    results: Sequence[RuleResult] = ()
    known: ClusterSnapshot | None = None
    """What there is to remember of the cluster; None when nothing new was read of it."""
    over: bool = False
    """Whether the cluster was seen to be gone: that resolves what was found of it."""
    since: datetime | None = None
    """When it happened, UTC, what the check was made for; None when no event told."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a check wrote down, and what it decided."""

    result: CheckResult
    policy: Policy
    """The policy that it was decided under."""
    invocation: str
    """Who is to notify, and has claimed to."""
    plan: NotificationPlan
    """What stands now, and what is to be done about it."""


@dataclass(frozen=True, slots=True)
class FindingRecorder:
    """Writes down what a check changed, and what was decided with it."""

    repository: FindingRepository
    clock: Callable[[], datetime]
    by: str
    """The function whose decisions these are."""
    policy: PolicyInForce | None = None
    """Read again before a termination is announced; None where none can be."""

    def record(
        self, result: CheckResult, policy: Policy, history: ClusterHistory | None, decide: Decide
    ) -> Recorded:
        """Write down what changed, together with what is decided about it and who notifies of it.

        All of it is one conditional write a finding. Where another invocation wrote first, it is
        decided again from what stands then.

        Args:
            result: What was found out.
            policy: What security wants.
            history: What the ledger holds, if it was read a moment ago.
            decide: Says what follows from what stands.

        Raises:
            WriteConflictError: Too many others wrote at once; to be tried again.
            StalePolicyError: A policy that was stored later has decided about the cluster, or would
                decide about its termination; to be evaluated again under the policy as it is now.

        """
        invocation = uuid4().hex
        written: set[str] = set()
        for _ in range(ATTEMPTS):
            held = history if history is not None else self.repository.read(result.cluster_id)
            history = None
            if held.decided_under_newer(policy):
                message = f"a newer policy than version {policy.version} decided about the cluster"
                raise StalePolicyError(message)
            now = self.clock()
            try:
                self._remember(result, held, now)
                situation = _situation(result, policy, held, written, now)
                plan = decide(situation, invocation)
                self._check_policy_is_current(policy, plan)
                plan = self._write(plan, policy, held, written)
            except WriteConflictError:
                continue
            recorded = Recorded(result, policy, invocation, plan)
            if plan.actions:
                self.repository.record(self._decision(recorded))
            return recorded
        message = f"the ledger of {result.cluster_id} is written to by too many at once"
        raise WriteConflictError(message)

    def _remember(self, result: CheckResult, history: ClusterHistory, now: datetime) -> None:
        if result.known is None:
            return
        known = result.known.merged_into(history.known)
        if known.cluster.terminated and known.expires is None:
            known = replace(known, expires=now + RETENTION)
        if known.says_more_than(history.known):
            self.repository.remember(known, history.known)

    def _check_policy_is_current(self, policy: Policy, plan: NotificationPlan) -> None:
        """See that no policy that was read a moment ago announces a termination."""
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

    def _decision(self, recorded: Recorded) -> Decision:
        """Say what was decided, to be kept before it is acted on."""
        plan, cluster = recorded.plan, recorded.result.cluster
        standing = [record.finding for record in plan.records.values() if record.open]
        notified = [f for a in plan.actions if isinstance(a, Alert) for f in a.findings]
        return Decision(
            cluster_id=recorded.result.cluster_id,
            at=self.clock(),
            by=self.by,
            invocation=recorded.invocation,
            cluster_state=cluster.state if cluster else None,
            mode=recorded.policy.mode,
            policy_version=recorded.policy.version,
            decided=tuple(map(_in_words, plan.actions)),
            findings=finding_states({f.rule_id: f for f in (*notified, *standing)}.values()),
        )


@dataclass(frozen=True, slots=True)
class Enforcers:
    """The ways to `enforce`: now, and at the end of the grace."""

    queue: EnforcementQueue
    schedules: EnforcementSchedules


@dataclass(frozen=True, slots=True)
class ActionDispatcher:
    """Notifies, and hands clusters on to `enforce`: the one place where a decision is acted on.

    Errors propagate: the whole check is tried again, and no alert is lost.
    """

    repository: FindingRepository
    alerts: Alerts
    clock: Callable[[], datetime]
    enforcers: Enforcers | None = None
    """None in a stack that may not terminate anything."""
    wait: Callable[[float], None] = sleep

    def dispatch(self, recorded: Recorded) -> tuple[Action, ...]:
        """Notify, and have the cluster terminated, now or later, where that was decided.

        Returns:
            What was done.

        Raises:
            AlertInProgressError: Another invocation is about to send a pending notification; to be
                tried again, for it may have died.
            WriteConflictError: Too many others wrote at once; to be tried again.

        """
        plan, result = recorded.plan, recorded.result
        alerts = [action for action in plan.actions if isinstance(action, Alert)]
        self._publish(recorded, alerts)
        announced = {finding.rule_id for alert in alerts for finding in alert.findings}
        for action in plan.actions:
            if not isinstance(action, Alert):
                self._hand_on(recorded, action, anew=not announced.isdisjoint(plan.enforced_rules))
        record_actions(plan.actions, self.clock() - result.since if result.since else None)
        if plan.leased_by_others and self._still_claimed(recorded):
            rules = ", ".join(sorted(plan.leased_by_others))
            message = f"another invocation is about to notify of {rules}"
            raise AlertInProgressError(message)
        return plan.actions

    def _publish(self, recorded: Recorded, alerts: Sequence[Alert]) -> None:
        """Publish alerts, and write down at once which of them were accepted.

        What was refused is given back, so that the next try need not wait. Where SNS did not answer
        it may have accepted: then it is left for CLAIM to whoever is trying.
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
                    given_back = partial(
                        FindingRecord.released, owner=recorded.invocation, former=former
                    )
                    update_entry(self.repository, plan.records[rule_id], given_back)
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
        """Note what was told of an entry, whatever others have made of it since."""
        word = with_notified(record, kinds, now)

        def noted(current: FindingRecord) -> FindingRecord:
            return replace(
                current.released(recorded.invocation).decided_by(recorded.policy),
                last_notified=word.last_notified,
                notifications=max(current.notifications, word.notifications),
                ever_notified=True,
                end_notified=word.end_notified,
                pending_since=None,
            )

        update_entry(self.repository, record, noted)

    def _hand_on(
        self,
        recorded: Recorded,
        action: RequestEnforcement | ScheduleEnforcement | CancelEnforcement,
        *,
        anew: bool,
    ) -> None:
        """Request, schedule or cancel a termination; what begins is written down before it does.

        Who dies on the way leaves an account from which the next check goes on.
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
                self._request(recorded, action, begun, anew=anew)
            case ScheduleEnforcement():
                self._schedule(recorded, action, replace(begun, due=action.at), anew=anew)
            case CancelEnforcement():
                self._send(action)
                self._update_termination(recorded, lambda now_: on_cancelled(now_, begun))

    def _request(
        self, recorded: Recorded, request: RequestEnforcement, begun: Termination, *, anew: bool
    ) -> None:
        """Ask `enforce` for the cluster now, and not at the end of an earlier grace as well."""
        termination = recorded.plan.termination
        if termination is not None and termination.scheduled:
            self._send(CancelEnforcement(request.cluster_arn))
        self._update_termination(recorded, lambda now_: on_request(now_, begun, announced=anew))
        sent = False
        try:
            self._send(request)
            sent = True
        finally:
            if not sent:  # so it does not keep the next check from asking
                self._update_termination(recorded, lambda now_: on_request_failed(now_, begun))

    def _schedule(
        self, recorded: Recorded, schedule: ScheduleEnforcement, begun: Termination, *, anew: bool
    ) -> None:
        """Have `enforce` asked at the end of the grace, unless that is cancelled meanwhile."""
        self._update_termination(recorded, lambda now_: on_scheduling(now_, begun, announced=anew))
        self._send(schedule)
        stands = self._update_termination(recorded, lambda now_: on_scheduled(now_, begun))
        if not stands.scheduled and not stands.in_progress:
            self._send(CancelEnforcement(schedule.request.cluster_arn))

    def _send(self, action: RequestEnforcement | ScheduleEnforcement | CancelEnforcement) -> None:
        if self.enforcers is None:
            if isinstance(action, CancelEnforcement):
                return  # the stack's schedules went with the permission
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

    def _still_claimed(self, recorded: Recorded) -> bool:
        """Give whoever is about to notify a few seconds, which is plenty unless it died."""
        for _ in range(WAITS):
            self.wait(1)
            records = self.repository.read(recorded.result.cluster_id).records
            leases = [records[rule_id].lease for rule_id in recorded.plan.leased_by_others]
            if not any(lease and lease.owner != recorded.invocation for lease in leases):
                return False
        return True


def update_termination(
    repository: FindingRepository,
    cluster_id: str,
    change: Callable[[Termination | None], Termination],
) -> Termination:
    """Change the account of a cluster's termination, whatever others have made of it since.

    Returns:
        The account as it stands now.

    Raises:
        WriteConflictError: Too many others wrote at once.

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
    message = f"the account of the termination of {cluster_id} could not be written"
    raise WriteConflictError(message)


def update_entry(
    repository: FindingRepository,
    record: FindingRecord,
    change: Callable[[FindingRecord], FindingRecord],
) -> None:
    """Change an entry, whatever others have made of it since it was read.

    Raises:
        WriteConflictError: Too many others wrote at once.

    """
    current = record
    for _ in range(ATTEMPTS):
        try:
            repository.write(change(current))
        except WriteConflictError:
            current = repository.read(record.finding.cluster_id).records[record.finding.rule_id]
            continue
        return
    message = f"what became of {record.finding.id} could not be written down"
    raise WriteConflictError(message)


def _situation(
    result: CheckResult,
    policy: Policy,
    history: ClusterHistory,
    written: Collection[str],
    now: datetime,
) -> Situation:
    """Enter a check's results into what is remembered.

    What this check wrote before it lost a race for the rest is not entered, and counted, twice. A
    cluster that is remembered as running is gone where the record knows of its end.
    """
    cluster, known = result.cluster, history.known
    if cluster is not None and known is not None and known.cluster.terminated:
        cluster = replace(cluster, state=known.cluster.state)
    results = [each for each in result.results if each.finding.rule_id not in written]
    records = _entered(
        history.records, replace(result, cluster=cluster, results=results), policy, now
    )
    return Situation(records, cluster, policy, now, history.termination)


def _entered(
    before: Mapping[str, FindingRecord], result: CheckResult, policy: Policy, now: datetime
) -> dict[str, FindingRecord]:
    """Enter each result; a cluster that is gone has its findings resolved by that."""
    if result.over:
        return {rule_id: cluster_terminated(record, now) for rule_id, record in before.items()}
    after = dict(before)
    for seen in result.results:
        rule_id = seen.finding.rule_id
        record = enter(after.get(rule_id), seen, policy.enforcement)
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


def _in_words(action: Action) -> str:
    match action:
        case Alert():
            rules = ", ".join(finding.rule_id for finding in action.findings)
            return f"tell {action.kind} of {rules}: {action.next_step}"
        case RequestEnforcement():
            return "have it looked at again and terminated now"
        case ScheduleEnforcement():
            return f"have it looked at again and terminated at {action.at:%Y-%m-%d %H:%M:%S} UTC"
        case CancelEnforcement():
            return "call its termination off"


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
