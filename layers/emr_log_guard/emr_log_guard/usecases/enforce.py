"""Enforce: read everything again, judge again, decide again, and only then end a cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from uuid import uuid4

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.decide import (
    Alert,
    AlertKind,
    NextStep,
    RequestEnforcement,
    Spare,
    Terminate,
    decide_enforcement,
    exempted,
    expired_exemptions,
    unless_suppressed,
)
from emr_log_guard.domain.decisions import Decision, grounds_of
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.ledger import Entry, Memory
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import ClusterNotFoundError, ObjectNotFoundError, TerminationRefusedError
from emr_log_guard.observability import logger, record_alert, record_enforcement
from emr_log_guard.rules import CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.in_force import in_force
from emr_log_guard.rules.judge import Judging, Subject, judge_cluster, judge_log_objects
from emr_log_guard.usecases.keep_ledger import Judgement, KeepLedger, note
from emr_log_guard.usecases.ports import (
    Alerts,
    EnforcementQueue,
    Ledger,
    Rechecks,
    Suppressions,
    TerminableClusters,
)
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject

_KINDS = {
    NextStep.STILL_RUNNING: AlertKind.ENFORCEMENT_FAILED,
    NextStep.SPARED_PROTECTED: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.SPARED_NO_LONGER_CALLED_FOR: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.SPARED_SUPPRESSED: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.SPARED_IN_DOUBT: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.TERMINATION_REFUSED: AlertKind.ENFORCEMENT_FAILED,
}
VERIFY_SECONDS = 900
"""How long EMR is given to end a cluster: the longest delay of a message in SQS, too."""


@dataclass(frozen=True, slots=True)
class Enforce:
    """Ends clusters. Trusts nothing that it was told: a request only says where to look."""

    clusters: TerminableClusters
    read_facts: ReadClusterFacts
    read_object: ReadLogObject
    policy: Callable[[], Policy]
    """Gives the policy in force."""
    ledger: Ledger
    keep: KeepLedger
    alerts: Alerts
    queue: EnforcementQueue
    """This function's own: for a look at what became of a termination."""
    rechecks: Rechecks
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]
    suppressions: Suppressions | None = None
    """None in a stack without Security Hub."""

    def __call__(self, request: RequestEnforcement) -> NextStep:
        """End the cluster if that is still called for, or see what became of its termination.

        Errors that a retry may cure fly; the request is delivered again, then dead-lettered.
        """
        arn = Arn.parse(request.cluster_arn)
        cluster_id = arn.resource.rpartition("/")[2] if arn else ""
        policy = self.policy()
        try:
            cluster = self.clusters.describe(cluster_id)
        except ClusterNotFoundError as error:
            record_enforcement(request.cluster_arn, NextStep.CLUSTER_ENDED, str(error))
            return NextStep.CLUSTER_ENDED
        memory = self.ledger.read(cluster_id)
        if cluster.gone:
            self.keep(Judgement(cluster_id, cluster, over=True), policy, memory)
            record_enforcement(cluster.arn, NextStep.CLUSTER_ENDED, f"it is {cluster.state}")
            return NextStep.CLUSTER_ENDED
        if request.verify:
            return self._still_running(cluster, memory, policy)
        if cluster.ended:
            return self._under_way(request, cluster, memory)
        return self._decide(request, cluster, memory, policy)

    def _still_running(self, cluster: Cluster, memory: Memory, policy: Policy) -> NextStep:
        """Tell that a cluster has not ended that EMR was told to terminate."""
        findings = tuple(e.finding for e in memory.entries.values() if e.terminated_at)
        step, detail = NextStep.STILL_RUNNING, f"The cluster is {cluster.state}."
        record_enforcement(cluster.arn, step, detail)
        if findings:
            self._tell(policy, cluster, findings, step, detail)
        return step

    def _under_way(self, request: RequestEnforcement, cluster: Cluster, memory: Memory) -> NextStep:
        """See to it that somebody looks whether a termination that was begun comes to its end."""
        if any(entry.terminated_at for entry in memory.entries.values()):
            self.queue.send(replace(request, verify=True), VERIFY_SECONDS)
        record_enforcement(cluster.arn, NextStep.TERMINATION_STARTED, "it is TERMINATING already")
        return NextStep.TERMINATION_STARTED

    def _decide(
        self, request: RequestEnforcement, cluster: Cluster, memory: Memory, policy: Policy
    ) -> NextStep:
        findings = self._judge(cluster, policy, request)
        now = self.clock()
        open_entries = [entry for entry in memory.entries.values() if entry.open]
        grace_ends = {e.finding.id: e.grace_ends(policy.enforcement) for e in open_entries}
        decision = decide_enforcement(findings, cluster, policy, now, grace_ends)
        if isinstance(decision, Terminate) and self.suppressions is not None:
            ids = [finding.id for finding in decision.findings]
            decision = unless_suppressed(decision, self.suppressions.suppressed(ids))
        self._record(decision, findings, cluster, policy)
        match decision:
            case Spare(reason=NextStep.SPARED_IN_GRACE as step, findings=reasons):
                self._wait(request, [end for end in grace_ends.values() if end > now], now)
                if any(finding.id not in grace_ends for finding in reasons):
                    # Nobody was told, and no time runs: a check opens it, and asks again in time.
                    self.rechecks.request((cluster.id,))
                record_enforcement(cluster.arn, step, "its time is not over")
                return step
            case Spare(reason=step, findings=told, detail=detail):
                detail = detail or f"The cluster is {cluster.state}."
                record_enforcement(cluster.arn, step, detail)
                self._not_ours(open_entries)
                self._tell_once(policy, cluster, told, step, detail, memory)
                return step
            case Terminate(findings=told):
                return self._end(request, cluster, decision, memory, policy)

    def _wait(self, request: RequestEnforcement, ends: Sequence[datetime], now: datetime) -> None:
        """Come back at the end of the grace, if that is soon: clocks differ a little."""
        seconds = min((ceil((end - now).total_seconds()) for end in ends), default=0)
        if 0 < seconds <= VERIFY_SECONDS:
            self.queue.send(request, seconds)

    def _end(
        self,
        request: RequestEnforcement,
        cluster: Cluster,
        decision: Terminate,
        memory: Memory,
        policy: Policy,
    ) -> NextStep:
        """Write down that the cluster is being ended, end it, and have that looked at later.

        Written down first: whoever hears of its end has to know whose doing it was.
        """
        entries = [memory.entries[finding.rule_id] for finding in decision.findings]
        now = self.clock()
        self._note(entries, lambda entry: replace(entry, terminated_at=now))
        step, detail = self._terminate(cluster, decision)
        record_enforcement(cluster.arn, step, detail)
        if step is NextStep.TERMINATION_STARTED:
            self.queue.send(replace(request, verify=True), VERIFY_SECONDS)
        else:
            self._note(self._fresh(entries), lambda entry: replace(entry, terminated_at=None))
        if step is NextStep.TERMINATION_REFUSED:
            self._tell(policy, cluster, decision.findings, step, detail)
        return step

    def _not_ours(self, entries: Iterable[Entry]) -> None:
        """Forget a termination that was written down and never begun: it is not to be claimed."""
        begun = [entry for entry in entries if entry.terminated_at]
        self._note(begun, lambda entry: replace(entry, terminated_at=None))

    def _fresh(self, entries: Sequence[Entry]) -> list[Entry]:
        known = self.ledger.read(entries[0].finding.cluster_id).entries
        return [known[entry.finding.rule_id] for entry in entries]

    def _note(self, entries: Iterable[Entry], change: Callable[[Entry], Entry]) -> None:
        for entry in entries:
            note(self.ledger, entry, change)

    def _record(
        self,
        decision: Terminate | Spare,
        findings: Sequence[Finding],
        cluster: Cluster,
        policy: Policy,
    ) -> None:
        """Write the decision down before it is acted on."""
        self.ledger.record(
            Decision(
                cluster_id=cluster.id,
                at=self.clock(),
                by=self.keep.by,
                invocation=uuid4().hex,
                cluster_state=cluster.state,
                mode=policy.mode,
                policy_version=policy.version,
                decided=(_in_words(decision),),
                grounds=grounds_of(exempted(findings, cluster, policy, self.clock())),
            )
        )

    def _judge(
        self, cluster: Cluster, policy: Policy, request: RequestEnforcement
    ) -> tuple[Finding, ...]:
        """Judge by the rules that the policy would end a cluster for, and no others."""
        enforced = policy.enforcement.rules
        rules = [rule for rule in in_force(CLUSTER_RULES, policy) if rule.id in enforced]
        judging = Judging(self.clock(), self.runbook)
        facts = self.read_facts.under(policy, rules)(cluster)
        findings = judge_cluster(facts, rules, judging)
        objects = list(self._objects(cluster, request, policy))
        if objects:
            about_objects = [
                rule for rule in in_force(LOG_OBJECT_RULES, policy) if rule.id in enforced
            ]
            findings += judge_log_objects(Subject.of(cluster), objects, about_objects, judging)
        return findings

    def _objects(
        self, cluster: Cluster, request: RequestEnforcement, policy: Policy
    ) -> Iterator[LogObjectFacts]:
        """Read the request's log objects again; only this cluster's own count."""
        for version in request.log_objects:
            try:
                facts = self.read_object.under(policy)(version)
            except ObjectNotFoundError:
                logger.info("log object is gone", object=str(version))
                continue
            if facts is not None and facts.cluster_id == cluster.id:
                yield facts

    def _terminate(self, cluster: Cluster, decision: Terminate) -> tuple[NextStep, str]:
        """Terminate one cluster; restore the protection that was lifted for it if that fails."""
        try:
            if not decision.lift_protection:
                self.clusters.terminate(cluster.id)
                return NextStep.TERMINATION_STARTED, ""
            self._terminate_protected(cluster.id)
        except ClusterNotFoundError as error:
            return NextStep.CLUSTER_ENDED, str(error)
        except TerminationRefusedError as error:
            return NextStep.TERMINATION_REFUSED, str(error)
        return NextStep.TERMINATION_STARTED, "Its termination protection was lifted."

    def _terminate_protected(self, cluster_id: str) -> None:
        """Lift and terminate. A lift that seems to fail may have worked: it is undone as well."""
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

    def _tell_once(  # noqa: PLR0913, PLR0917 - the parts of an alert
        self,
        policy: Policy,
        cluster: Cluster,
        findings: tuple[Finding, ...],
        step: NextStep,
        detail: str,
        memory: Memory,
    ) -> None:
        """Tell that the cluster was spared, unless people heard just that of each finding."""
        about = {finding.rule_id for finding in findings}
        open_entries = [e for e in memory.entries.values() if e.open]
        entries = [e for e in open_entries if e.finding.rule_id in about] or open_entries
        if entries and all(entry.spared == step for entry in entries):
            return
        self._tell(policy, cluster, findings, step, detail)
        self._note(entries, lambda entry: replace(entry, spared=str(step)))

    def _tell(
        self,
        policy: Policy,
        cluster: Cluster,
        findings: tuple[Finding, ...],
        step: NextStep,
        detail: str,
    ) -> None:
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
            )
        )
        record_alert(_KINDS[step])


def _in_words(decision: Terminate | Spare) -> str:
    match decision:
        case Terminate(lift_protection=True):
            return "lift its termination protection and terminate it"
        case Terminate():
            return "terminate it"
        case Spare(reason=reason):
            return f"leave it alone: {reason}"
