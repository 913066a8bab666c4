"""Check clusters: gather, evaluate, record, decide, act."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

from emr_log_guard.domain.approved_keys import missing_approved_keys
from emr_log_guard.domain.clusters import Cluster, ClusterFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import exempted
from emr_log_guard.domain.finding_record import (
    ClusterHistory,
    ClusterSnapshot,
    Kind,
    RuleResult,
)
from emr_log_guard.domain.findings import Finding, overall_of
from emr_log_guard.domain.notification_plan import plan_notifications
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import (
    OutdatedSnapshotError,
    StalePolicyError,
    TemporarilyUnavailableError,
)
from emr_log_guard.events.emr import ClusterCheckRequest, parse_cluster_message
from emr_log_guard.observability import (
    logger,
    record_failed_messages,
    record_findings,
    record_oldest_unchecked,
)
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules.evaluation import EvaluationContext
from emr_log_guard.usecases.approved_keys import NotifyMissingKeys
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.checks.cluster_steps import ClusterSteps
from emr_log_guard.usecases.evaluate import evaluate_cluster
from emr_log_guard.usecases.findings import ActionDispatcher, CheckResult, FindingRecorder
from emr_log_guard.usecases.ports import (
    AllWorkloads,
    Clusters,
    FindingRepository,
    PolicyProvider,
)

BATCH_SECONDS = 20.0
"""How long a batch may go on to begin checks; the function's timeout leaves time to end one."""


@dataclass(frozen=True, slots=True)
class ClusterChecked:
    """What came of checking a cluster."""

    cluster_id: str
    state: str
    findings: tuple[Finding, ...]
    """One a rule; those that are exempt say so."""
    actions: tuple[str, ...]
    incomplete: bool = False
    """Whether AWS could not give a fact for now: the check is to be repeated soon."""

    def summary(self) -> dict[str, object]:
        """Say it in JSON, for the invocation's result and `sam local invoke`."""
        return {
            "cluster_id": self.cluster_id,
            "state": self.state,
            "compliance": overall_of(self.findings),
            "rules": {
                finding.rule_id: finding.compliance
                for finding in self.findings
                if finding.compliance is not Compliance.NOT_APPLICABLE
            },
            "actions": list(self.actions),
        }


@dataclass(frozen=True, slots=True)
class CheckCluster:
    """Evaluates a cluster: what cannot change is read once, and re-read before anything is done."""

    clusters: Clusters
    workloads: AllWorkloads
    read_facts: ReadClusterFacts
    """Reads keys and roles, or remembers them for a moment."""
    read_afresh: ReadClusterFacts
    """Reads everything: the check is requested because of a change."""
    policy: PolicyProvider
    repository: FindingRepository
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    notify_missing_keys: NotifyMissingKeys
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def __call__(self, request: ClusterCheckRequest) -> ClusterChecked:
        """Check a cluster.

        One that is gone and was evaluated while it lived is not evaluated again: its end resolves
        what was found. One that is only known, from a log object, is.

        Raises:
            ClusterNotFoundError: EMR does not know the cluster that an event named; to be tried
                again.
            TemporarilyUnavailableError: EMR could not describe it now; to be tried again.

        """
        try:
            return self._check(request, self.policy(force_refresh=request.force_refresh))
        except StalePolicyError:
            return self._check(request, self.policy(force_refresh=True))

    def forgotten(self, cluster_id: str) -> str | None:
        """Record the end of a cluster that EMR knew once, and does not any more.

        Returns:
            Its state; None when it is not remembered here either.

        """
        history = self.repository.read(cluster_id)
        if history.known is None:
            return None
        known = replace(history.known, cluster=replace(history.known.cluster, state="TERMINATED"))
        result = CheckResult(cluster_id, known.cluster, known=known, over=True)
        recorded = self.recorder.record(
            result, self.policy(force_refresh=True), history, decide=plan_notifications
        )
        self.dispatcher.dispatch(recorded)
        return known.cluster.state

    def _check(self, request: ClusterCheckRequest, policy: Policy) -> ClusterChecked:
        """Gather, evaluate, record, decide, act."""
        history = self.repository.read(request.cluster_id)
        if history.decided_under_newer(policy):
            policy = self.policy(force_refresh=True)
        context = EvaluationContext(policy, self.clock(), self.runbook)
        steps = ClusterSteps(self.workloads, history.known, request)
        if request.by_event and history.known is not None and history.known.evaluated:
            cluster = history.known.remembered_at(request.state)
            evaluated = self._evaluate(request, cluster, history, steps, context, described=False)
            with suppress(OutdatedSnapshotError):
                return self._conclude(evaluated, history, context)
        cluster = self.clusters.describe(request.cluster_id)
        evaluated = self._evaluate(request, cluster, history, steps, context, described=True)
        return self._conclude(evaluated, history, context)

    def _conclude(
        self, evaluated: "_Evaluated", history: ClusterHistory, context: EvaluationContext
    ) -> ClusterChecked:
        """Record, decide and act."""
        cluster, result, policy = evaluated.cluster, evaluated.result, context.policy
        recorded = self.recorder.record(result, policy, history, decide=plan_notifications)
        findings = exempted((each.finding for each in result.results), cluster, policy, context.now)
        record_findings("cluster checked", cluster.id, findings)
        actions = self.dispatcher.dispatch(recorded)
        if evaluated.facts is not None:
            self.notify_missing_keys(policy, missing_approved_keys(evaluated.facts.approved_keys))
        return ClusterChecked(
            cluster.id,
            cluster.state,
            findings,
            tuple(type(action).__name__ for action in actions),
            any(record.to_be_read_again(context.now) for record in recorded.plan.records.values()),
        )

    def _evaluate(  # noqa: PLR0913 - all that one evaluation rests on
        self,
        request: ClusterCheckRequest,
        cluster: Cluster,
        history: ClusterHistory,
        steps: ClusterSteps,
        context: EvaluationContext,
        *,
        described: bool,
    ) -> "_Evaluated":
        """Evaluate a cluster as it was read or is remembered, unless its end is what there is."""
        known = ClusterSnapshot(cluster, request.launched_by)
        result = CheckResult(
            cluster.id, cluster, known=known, described=described, since=request.at
        )
        if cluster.terminated and history.known is not None and history.known.evaluated:
            return _Evaluated(cluster, replace(result, over=True), None)
        known = known.merged_into(history.known)
        read_facts = self.read_afresh if request.force_refresh else self.read_facts
        evaluation = evaluate_cluster(known, replace(read_facts, workloads=steps), context)
        facts = evaluation.facts
        learnt = replace(
            known,
            keys=facts.key_arns,
            log_key_worked=usable.can_encrypt(facts).compliance is Compliance.COMPLIANT,
            evaluated=True,
        )
        at_launch = described and cluster.launching
        results = tuple(
            RuleResult(finding, Kind.CLUSTER, context.now, at_launch=at_launch)
            for finding in evaluation.findings
        )
        result = replace(result, results=results, known=steps.added_to(learnt))
        return _Evaluated(cluster, result, facts)


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """A cluster, and what its evaluation says."""

    cluster: Cluster
    result: CheckResult
    facts: ClusterFacts | None
    """None where the cluster's end is all that there is."""


@dataclass(frozen=True, slots=True)
class CheckClusters:
    """Checks the clusters that a batch of messages names, each of them once."""

    check_cluster: CheckCluster
    clock: Callable[[], datetime]
    timer: Callable[[], float] = monotonic

    def read(self, body: str) -> ClusterCheckRequest:
        """Read which cluster a message is about.

        Raises:
            InvalidEventError: It names no cluster.

        """
        return parse_cluster_message(body)

    def check(self, requests: Sequence[ClusterCheckRequest]) -> list[ClusterCheckRequest]:
        """Check each cluster once, whatever number of requests there is for it.

        What EMR itself announced goes before what is only re-checked, and the oldest first.

        Returns:
            The requests of the clusters that could not be checked, or not completely, to be
            delivered again; what went wrong with one cluster holds up no other.

        """
        by_cluster: defaultdict[str, list[ClusterCheckRequest]] = defaultdict(list)
        for request in requests:
            by_cluster[request.cluster_id].append(request)
        begun = self.timer()
        unchecked: list[ClusterCheckRequest] = []
        incomplete: list[ClusterCheckRequest] = []
        for group in sorted(by_cluster.values(), key=_urgency):
            if self.timer() - begun >= BATCH_SECONDS:
                unchecked += group
                continue
            try:
                checked = self.check_cluster(ClusterCheckRequest.merged(group))
            except TemporarilyUnavailableError as error:
                logger.warning("check postponed", cluster_id=group[0].cluster_id, reason=str(error))
                unchecked += group
            except Exception:  # whatever it is: the messages come back, and fail in the end
                logger.exception("cluster not checked", cluster_id=group[0].cluster_id)
                record_failed_messages(len(group))
                unchecked += group
            else:
                incomplete += group if checked.incomplete else ()
        waiting = [each.at for each in unchecked if each.at and not each.force_refresh]
        if waiting:
            record_oldest_unchecked(self.clock() - min(waiting))
        return [*unchecked, *incomplete]


def _urgency(group: Sequence[ClusterCheckRequest]) -> tuple[bool, datetime]:
    merged = ClusterCheckRequest.merged(group)
    return all(each.force_refresh for each in group), merged.at or datetime.max.replace(tzinfo=UTC)
