"""Enforce: re-read, re-evaluate and decide again, and only then terminate a cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import Any
from uuid import uuid4

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import (
    Alert,
    AlertKind,
    NextStep,
    RequestEnforcement,
    Skip,
    Terminate,
    decide_enforcement,
    enforceable_findings,
    exempted,
    expired_exemptions,
    unless_suppressed,
)
from emr_log_guard.domain.decisions import Decision, finding_states
from emr_log_guard.domain.finding_record import (
    ClusterHistory,
    ClusterSnapshot,
    FindingRecord,
    logs_reencrypted,
    settled,
)
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.notification_plan import alert_id, plan_notifications
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.termination import CALLS, VERIFY, Stage, Termination
from emr_log_guard.errors import (
    ClusterNotFoundError,
    NotReadableError,
    ObjectNotFoundError,
    PolicyUnavailableError,
    TerminationInProgressError,
    TerminationNotAcceptedError,
    TerminationRefusedError,
    WriteConflictError,
)
from emr_log_guard.observability import logger, record_alert, record_enforcement
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject
from emr_log_guard.usecases.evaluate import evaluate_cluster, evaluate_log_objects
from emr_log_guard.usecases.findings import (
    ActionDispatcher,
    CheckResult,
    FindingRecorder,
    update_termination,
)
from emr_log_guard.usecases.ports import (
    Alerts,
    EnforcementQueue,
    FindingRepository,
    Rechecks,
    Suppressions,
    TerminableClusters,
)

_KINDS = {
    NextStep.STILL_RUNNING: AlertKind.ENFORCEMENT_FAILED,
    NextStep.SKIPPED_PROTECTED: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.SKIPPED_SUPPRESSED: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.SKIPPED_UNDETERMINED: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.TERMINATION_REFUSED: AlertKind.ENFORCEMENT_FAILED,
}


@dataclass(frozen=True, slots=True)
class Enforce:
    """Terminates clusters. A request only names the cluster; everything is re-evaluated."""

    clusters: TerminableClusters
    read_facts: ReadClusterFacts
    read_object: ReadLogObject
    policy: Callable[[], Policy]
    """Returns the policy in effect."""
    repository: FindingRepository
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    alerts: Alerts
    queue: EnforcementQueue
    """This function's own queue, for verifying a termination."""
    rechecks: Rechecks
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]
    suppressions: Suppressions | None = None
    """None in a stack without Security Hub."""

    def __call__(self, request: RequestEnforcement) -> NextStep:
        """Terminate the cluster if still required, or verify its termination.

        Retryable errors propagate: the request is redelivered, then dead-lettered.

        Raises:
            PolicyUnavailableError: There is no valid policy.
            TerminationInProgressError: Another invocation is calling EMR about this cluster.

        """
        arn = Arn.parse(request.cluster_arn)
        cluster_id = arn.resource.rpartition("/")[2] if arn else ""
        policy = self.policy()
        try:
            cluster = self.clusters.describe(cluster_id)
        except ClusterNotFoundError as error:
            record_enforcement(request.cluster_arn, NextStep.CLUSTER_TERMINATED, str(error))
            return NextStep.CLUSTER_TERMINATED
        history = self.repository.read(cluster_id)
        if cluster.terminated:
            result = CheckResult(cluster_id, cluster, over=True)
            self.dispatcher.dispatch(
                self.recorder.record(result, policy, history, decide=plan_notifications)
            )
            record_enforcement(cluster.arn, NextStep.CLUSTER_TERMINATED, f"it is {cluster.state}")
            return NextStep.CLUSTER_TERMINATED
        if request.verify:
            return self._still_running(cluster, history, policy)
        if cluster.terminating:
            return self._already_terminating(request, cluster, history)
        if policy.suspended:
            message = "the policy could not be read or is invalid: nothing is terminated"
            raise PolicyUnavailableError(message)
        return self._decide(request, cluster, history, policy)

    def _still_running(self, cluster: Cluster, history: ClusterHistory, policy: Policy) -> NextStep:
        """Notify once that a cluster still runs whose termination EMR accepted."""
        step, detail = NextStep.STILL_RUNNING, f"The cluster is {cluster.state}."
        record_enforcement(cluster.arn, step, detail)
        ours = history.termination
        if ours is not None and ours.accepted:
            overdue = self._update(ours, stage=Stage.OVERDUE)
            findings = tuple(
                record.finding
                for rule_id, record in history.records.items()
                if rule_id in ours.rules
            )
            self._notify(policy, cluster, findings, overdue, step, detail)
        return step

    def _already_terminating(
        self, request: RequestEnforcement, cluster: Cluster, history: ClusterHistory
    ) -> NextStep:
        """Complete the record of a termination whose acceptance was not recorded."""
        ours = history.termination
        if ours is not None and ours.stage is Stage.CALLING:
            self._accepted(request, ours)
        record_enforcement(cluster.arn, NextStep.TERMINATION_STARTED, "it is TERMINATING already")
        return NextStep.TERMINATION_STARTED

    def _decide(
        self, request: RequestEnforcement, cluster: Cluster, history: ClusterHistory, policy: Policy
    ) -> NextStep:
        now = self.clock()
        findings = tuple(
            _as_recorded(finding, history, now, policy)
            for finding in self._evaluate(cluster, policy, request, history)
        )
        records = [record for record in history.records.values() if record.open]
        grace_ends = {e.finding.id: e.grace_ends(policy.enforcement) for e in records}
        notified = {
            record.finding.id
            for record in records
            if record.announced_deadline is not None and record.announced_deadline <= now
        }
        reencrypted = logs_reencrypted(history.records.values(), policy, now)
        decision = decide_enforcement(
            findings, cluster, policy, now, grace_ends, notified, reencrypted=reencrypted
        )
        decision = _unless_unread(decision, findings, records, policy)
        if isinstance(decision, Terminate) and self.suppressions is not None:
            ids = [finding.id for finding in decision.findings]
            decision = unless_suppressed(decision, self.suppressions.suppressed(ids))
        self._record(decision, findings, cluster, policy)
        if isinstance(decision, Terminate):
            return self._call_emr(request, cluster, decision, history, policy)
        if decision.reason is NextStep.SKIPPED_IN_GRACE:
            self._request_after_grace(
                request, [end for end in grace_ends.values() if end > now], now
            )
            if any(finding.id not in grace_ends for finding in decision.findings):
                # Not notified, no grace period: a check opens it, and requests again in time.
                self.rechecks.request((cluster.id,))
            record_enforcement(cluster.arn, decision.reason, "its grace period is not over")
            return decision.reason
        return self._skip(request, cluster, decision, history, policy)

    def _skip(
        self,
        request: RequestEnforcement,
        cluster: Cluster,
        decision: Skip,
        history: ClusterHistory,
        policy: Policy,
    ) -> NextStep:
        """Do not terminate the cluster, and notify of that if required."""
        step, now = decision.reason, self.clock()
        known = history.termination
        match decision:
            case Skip(reason=NextStep.SKIPPED_NOT_NOTIFIED):
                self.rechecks.request((cluster.id,))
                record_enforcement(cluster.arn, step, "no notification was accepted yet")
                if known is not None and known.stage is Stage.REQUESTED:
                    # The next check may request it at once: the notification may be in progress.
                    self._update(known, stage=Stage.SKIPPED, reason=str(step))
            case Skip(reason=NextStep.SKIPPED_NO_LONGER_REQUIRED):
                # A check notifies of resolved or exempt findings, and cancels the schedule.
                self.rechecks.request((cluster.id,))
                record_enforcement(cluster.arn, step, f"The cluster is {cluster.state}.")
                if known is None or self._may_be_accepted(request, known, now):
                    return step
                if not known.scheduled:
                    self._skipped(known, policy, step, "")
            case Skip(findings=notified, detail=detail):
                detail = detail or f"The cluster is {cluster.state}."
                record_enforcement(cluster.arn, step, detail)
                known = known or Termination(cluster_id=cluster.id, stage=Stage.REQUESTED, at=now)
                if self._may_be_accepted(request, known, now):
                    return step
                waits = known.scheduled and known.due is not None and known.due > now
                skipped = known if waits else self._skipped(known, policy, step, detail)
                self._notify(policy, cluster, notified, skipped, step, detail)
        return step

    def _request_after_grace(
        self, request: RequestEnforcement, ends: Sequence[datetime], now: datetime
    ) -> None:
        """Request again at the end of the grace period, if that is soon: clocks differ slightly."""
        seconds = min((ceil((end - now).total_seconds()) for end in ends), default=0)
        if 0 < seconds <= VERIFY.total_seconds():
            self.queue.send(request, seconds)

    def _may_be_accepted(
        self, request: RequestEnforcement, known: Termination, now: datetime
    ) -> bool:
        """Return whether EMR may have accepted the termination; if unknown, check again later."""
        possible = known.may_be_accepted(now)
        if possible and not known.accepted:
            self.queue.send(request, int(VERIFY.total_seconds()))
        return possible

    def _skipped(
        self, known: Termination, policy: Policy, step: NextStep, detail: str
    ) -> Termination:
        """Record that a termination is skipped."""
        return self._update(
            known,
            stage=Stage.SKIPPED,
            reason=str(step),
            detail=detail,
            policy_version=policy.version,
            answered=True,
        )

    def _call_emr(
        self,
        request: RequestEnforcement,
        cluster: Cluster,
        decision: Terminate,
        history: ClusterHistory,
        policy: Policy,
    ) -> NextStep:
        """Record that EMR is being called, call it, and record its answer.

        Recorded first, so that the cluster's termination is attributed to the guard.
        """
        owner, now = uuid4().hex, self.clock()
        known = history.termination or Termination(
            cluster_id=cluster.id, stage=Stage.REQUESTED, at=now
        )
        if known.called_by_another(owner, now):
            message = f"another invocation is terminating {cluster.id}"
            raise TerminationInProgressError(message)
        rules = tuple(finding.rule_id for finding in decision.findings)
        try:
            calling = self._write(
                known, stage=Stage.CALLING, rules=rules, owner=owner, policy_version=policy.version
            )
        except WriteConflictError as error:
            message = f"another invocation updated the termination of {cluster.id}"
            raise TerminationInProgressError(message) from error
        try:
            self._terminate(cluster.id, lift_protection=decision.lift_protection)
        except ClusterNotFoundError as error:
            self._update(calling, stage=Stage.SKIPPED, reason=str(NextStep.CLUSTER_TERMINATED))
            record_enforcement(cluster.arn, NextStep.CLUSTER_TERMINATED, str(error))
            return NextStep.CLUSTER_TERMINATED
        except TerminationRefusedError as error:
            self._failed(policy, cluster, decision.findings, known, str(error))
            return NextStep.TERMINATION_REFUSED
        except TerminationNotAcceptedError as error:
            calls, unanswered_at = calling.calls + 1, self.clock()
            stage = Stage.OVERDUE if known.accepted else Stage.REQUESTED
            updated = self._update(calling, stage=stage, calls=calls, unanswered_at=unanswered_at)
            if calls >= CALLS:
                detail = f"{error}, {calls} times"
                self._failed(policy, cluster, decision.findings, updated, detail)
            raise
        self._accepted(request, calling)
        detail = "Its termination protection was turned off." if decision.lift_protection else ""
        record_enforcement(cluster.arn, NextStep.TERMINATION_STARTED, detail)
        return NextStep.TERMINATION_STARTED

    def _accepted(self, request: RequestEnforcement, calling: Termination) -> None:
        """Record that EMR accepted, and request one verification."""
        self._update(calling, stage=Stage.ACCEPTED, calls=0)
        self.queue.send(replace(request, verify=True), int(VERIFY.total_seconds()))

    def _failed(
        self,
        policy: Policy,
        cluster: Cluster,
        findings: tuple[Finding, ...],
        known: Termination,
        detail: str,
    ) -> None:
        """Record that a termination failed, and notify once per cause.

        An earlier acceptance stays accepted even if EMR refuses another call.
        """
        step = NextStep.TERMINATION_REFUSED
        record_enforcement(cluster.arn, step, detail)
        stage = Stage.OVERDUE if known.accepted else Stage.FAILED
        failed = self._update(known, stage=stage, reason=str(step), detail=detail, calls=0)
        self._notify(policy, cluster, findings, failed, step, detail)

    def _update(self, known: Termination, **changes: Any) -> Termination:  # noqa: ANN401
        """Update the termination over what others have written; DONE is final."""
        now = self.clock()

        def changed(current: Termination | None) -> Termination:
            base = current or known
            if base.stage is Stage.DONE:
                return base
            return replace(base, at=now, **changes)

        return update_termination(self.repository, known.cluster_id, changed)

    def _write(self, known: Termination, **changes: Any) -> Termination:  # noqa: ANN401
        """Update the termination unless another invocation has."""
        return self.repository.write_termination(replace(known, at=self.clock(), **changes))

    def _record(
        self,
        decision: Terminate | Skip,
        findings: Sequence[Finding],
        cluster: Cluster,
        policy: Policy,
    ) -> None:
        """Record the decision before it is acted on."""
        self.repository.record(
            Decision(
                cluster_id=cluster.id,
                at=self.clock(),
                by=self.recorder.by,
                invocation=uuid4().hex,
                cluster_state=cluster.state,
                mode=policy.mode,
                policy_version=policy.version,
                decided=(_description(decision),),
                findings=finding_states(exempted(findings, cluster, policy, self.clock())),
            )
        )

    def _evaluate(
        self, cluster: Cluster, policy: Policy, request: RequestEnforcement, history: ClusterHistory
    ) -> tuple[Finding, ...]:
        """Evaluate only the rules that the policy terminates clusters for."""
        enforced = policy.enforcement.rules
        context = EvaluationContext(
            policy, self.clock(), self.runbook, lambda rule: rule.id in enforced
        )
        worked = history.known is not None and history.known.log_key_worked
        known = ClusterSnapshot(cluster, log_key_worked=worked)
        findings = evaluate_cluster(known, self.read_facts, context).findings
        objects = self._objects(cluster, request, policy)
        about_objects = evaluate_log_objects(Subject.of(cluster), objects, context)
        return (*findings, *(result.finding for result in about_objects))

    def _objects(
        self, cluster: Cluster, request: RequestEnforcement, policy: Policy
    ) -> Iterator[LogObjectFacts]:
        """Re-read the request's log objects; only those of this cluster count."""
        for version in request.log_objects:
            try:
                facts = self.read_object.under(policy)(version)
            except ObjectNotFoundError:
                logger.info("log object not found", object=str(version))
                continue
            if facts is not None and facts.cluster_id == cluster.id:
                yield facts

    def _terminate(self, cluster_id: str, *, lift_protection: bool) -> None:
        """Terminate one cluster; restore its protection if that fails."""
        if lift_protection:
            self._terminate_protected(cluster_id)
        else:
            self.clusters.terminate(cluster_id)

    def _terminate_protected(self, cluster_id: str) -> None:
        """Turn protection off and terminate. A failed call may have worked: it is undone, too."""
        try:
            self.clusters.set_termination_protection(cluster_id, protected=False)
            self.clusters.terminate(cluster_id)
        except ClusterNotFoundError:
            raise
        except BaseException as error:
            try:
                self.clusters.set_termination_protection(cluster_id, protected=True)
            except TerminationRefusedError as unrestored:
                if not isinstance(error, TerminationRefusedError):
                    raise error from unrestored
                message = f"{error}; its termination protection may be off: {unrestored}"
                raise TerminationRefusedError(message) from error
            raise

    def _notify(  # noqa: PLR0913, PLR0917 - the parts of an alert
        self,
        policy: Policy,
        cluster: Cluster,
        findings: tuple[Finding, ...],
        termination: Termination,
        step: NextStep,
        detail: str,
    ) -> None:
        """Notify of a step of a termination, unless it was notified already."""
        cause = detail if step is NextStep.TERMINATION_REFUSED else ""
        if termination.was_notified(step, cause):
            return
        key = "\n".join((termination.cluster_id, step, cause, *sorted(f.id for f in findings)))
        self.alerts.publish(
            Alert(
                _KINDS[step],
                cluster.arn,
                cluster.name,
                findings,
                step,
                policy.strongest_mode(finding.rule_id for finding in findings),
                detail,
                expired_exemptions(findings, cluster, policy, self.clock()),
                cluster.tags,
                id=alert_id(key, *termination.notified),
            )
        )
        record_alert(_KINDS[step])
        update_termination(
            self.repository,
            termination.cluster_id,
            lambda current: (current or termination).with_notified(step, cause),
        )


def _as_recorded(
    finding: Finding, history: ClusterHistory, now: datetime, policy: Policy
) -> Finding:
    """Apply the record: how long a fact has lasted, and what is past."""
    record = history.records.get(finding.rule_id)
    if record is None or not record.open:
        return finding
    since = record.transient_since if record.transient_violation else None
    lasted = settled(finding, since, now, policy.enforcement)
    return replace(lasted, over=lasted.over or not replace(record, finding=lasted).ongoing(now))


def _unless_unread(
    decision: Terminate | Skip,
    findings: Iterable[Finding],
    records: Iterable[FindingRecord],
    policy: Policy,
) -> Terminate | Skip:
    """Return SKIPPED_UNDETERMINED if an unread fact is why termination is not required.

    Raises:
        NotReadableError: It may be readable soon: to be retried.

    """
    if not isinstance(decision, Skip) or (
        decision.reason is not NextStep.SKIPPED_NO_LONGER_REQUIRED
    ):
        return decision
    enforceable = {
        finding.rule_id for finding in enforceable_findings((e.finding for e in records), policy)
    }
    unread = [
        finding
        for finding in findings
        if finding.rule_id in enforceable and finding.compliance is Compliance.INSUFFICIENT_DATA
    ]
    for finding in unread:
        if finding.once_lasting is Compliance.INSUFFICIENT_DATA:
            raise NotReadableError(finding.summary)
    if not unread or not policy.enforcement.allowed:
        return decision
    return Skip(NextStep.SKIPPED_UNDETERMINED, tuple(unread), unread[0].summary)


def _description(decision: Terminate | Skip) -> str:
    match decision:
        case Terminate(lift_protection=True):
            return "turn off termination protection and terminate"
        case Terminate():
            return "terminate"
        case Skip(reason=reason):
            return f"do not terminate: {reason}"
