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
    FIRST_READ,
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
from emr_log_guard.usecases.approved_keys import NotifyUnusableKeys
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.checks.cluster_steps import ClusterSteps
from emr_log_guard.usecases.checks.log_buckets import CheckLogBuckets
from emr_log_guard.usecases.evaluate import evaluate_cluster
from emr_log_guard.usecases.findings import ActionDispatcher, CheckResult, FindingRecorder
from emr_log_guard.usecases.ports import (
    AllWorkloads,
    Clusters,
    FindingRepository,
    FirstReads,
    PolicyProvider,
)

BATCH_SECONDS = 20.0
"""How long a batch may start new checks; the function's timeout leaves time to finish one."""
STEPS_SECONDS = 30.0
"""How long after its begin a batch may start to list the steps of one more cluster."""


@dataclass(frozen=True, slots=True)
class ClusterChecked:
    """The result of checking a cluster, or a log bucket by its ARN."""

    cluster_id: str
    state: str
    findings: tuple[Finding, ...]
    """One per rule; exempt ones have status EXEMPT."""
    actions: tuple[str, ...]
    incomplete: bool = False
    """Whether a fact was temporarily unavailable: the check is to be repeated soon."""
    postponed: "Described | None" = None
    """What to go on from, where the steps are still to be read; None when they are."""
    unread_steps: frozenset[str] = frozenset()
    """The steps that events name, if the check is incomplete only because these were not read."""

    def to_be_repeated(self, request: ClusterCheckRequest) -> bool:
        """Whether one of the requests for this check has to be made again.

        In a storm of steps, most batches have events of known steps and one of a new step.
        """
        only = self.unread_steps
        return self.incomplete and (not only or not only.isdisjoint(request.step_ids))

    def summary(self) -> dict[str, object]:
        """Return the invocation's result, also for `sam local invoke`."""
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
class Described:
    """A cluster as it was just described, or None where it did not have to be."""

    cluster: Cluster | None


@dataclass(frozen=True, slots=True)
class CheckCluster:
    """Evaluates a cluster: what cannot change is read once, and re-read before any action."""

    first_reads: FirstReads
    """Describes a cluster that events announce, and lists its steps, for the first time."""
    clusters: Clusters
    workloads: AllWorkloads
    read_facts: ReadClusterFacts
    """Reads facts, with cached keys and roles."""
    read_uncached: ReadClusterFacts
    """Reads facts without caches, for changes."""
    policy: PolicyProvider
    repository: FindingRepository
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    check_buckets: CheckLogBuckets
    notify_unusable_keys: NotifyUnusableKeys
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def __call__(
        self,
        request: ClusterCheckRequest,
        described: Described | None = None,
        *,
        postpone_steps: bool = False,
    ) -> ClusterChecked:
        """Check a cluster, or a log bucket that a finding is about.

        A terminated cluster that was evaluated before is not evaluated again: its termination
        resolves its findings. One that is only known from a log object is evaluated.

        Args:
            request: What to check, and why.
            described: What an earlier check, which postponed the steps, has just read.
            postpone_steps: Whether the steps of a cluster that an event announced are left to a
                further check. Only what does not depend on them is then recorded, and alerts.

        Raises:
            ClusterNotFoundError: EMR does not know the cluster of an event; to be retried.
            TemporarilyUnavailableError: EMR is temporarily unavailable; to be retried.

        """
        postponing = postpone_steps and request.by_event
        try:
            policy = self.policy(force_refresh=request.force_refresh)
            return self._check(request, policy, described, postponing=postponing)
        except StalePolicyError:
            policy = self.policy(force_refresh=True)
            return self._check(request, policy, described, postponing=postponing)

    def record_termination(self, cluster_id: str) -> str | None:
        """Record the termination of a cluster that EMR no longer knows.

        Returns:
            Its state; None when it is not recorded here either.

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

    def _check(
        self,
        request: ClusterCheckRequest,
        policy: Policy,
        described: Described | None,
        *,
        postponing: bool,
    ) -> ClusterChecked:
        """Gather, evaluate, record, decide, act."""
        if request.about_bucket:
            context = EvaluationContext(policy, self.clock(), self.runbook)
            found = self.check_buckets.again(request.cluster_id, context)
            return ClusterChecked(request.cluster_id, "", found, ())
        history = self.repository.read(request.cluster_id)
        if history.decided_under_newer(policy):
            policy = self.policy(force_refresh=True)
        context = EvaluationContext(policy, self.clock(), self.runbook)
        known, cluster = history.known, described.cluster if described else None
        listed = known is not None and known.steps_listed
        workloads = self.first_reads if request.by_event and not listed else self.workloads
        steps = ClusterSteps(workloads, known, request, postponed=postponing)
        evaluated_before = known is not None and known.evaluated
        if cluster is None and request.by_event and known and evaluated_before:
            cluster = known.cluster_at(request.state)
            if steps.left and not cluster.terminated:
                return ClusterChecked(cluster.id, cluster.state, (), (), postponed=Described(None))
            evaluated = self._evaluate(request, cluster, history, steps, context, described=False)
            with suppress(OutdatedSnapshotError):
                return self._conclude(request, evaluated, history, context)
            cluster = None
        if cluster is None and request.by_event and not evaluated_before:
            cluster = self._read_first(request.cluster_id, context.now)
        cluster = cluster or self.clusters.describe(request.cluster_id)
        evaluated = self._evaluate(request, cluster, history, steps, context, described=True)
        return self._conclude(request, evaluated, history, context)

    def _read_first(self, cluster_id: str, now: datetime) -> Cluster:
        """Describe a cluster for the first time, unless another invocation is about to."""
        if not self.repository.begin_first_read(cluster_id, now, now + FIRST_READ):
            message = f"another invocation reads {cluster_id} for the first time"
            raise TemporarilyUnavailableError(message)
        return self.first_reads.describe(cluster_id)

    def _conclude(
        self,
        request: ClusterCheckRequest,
        evaluated: "_Evaluated",
        history: ClusterHistory,
        context: EvaluationContext,
    ) -> ClusterChecked:
        """Record, decide and act."""
        cluster, result, policy = evaluated.cluster, evaluated.result, context.policy
        recorded = self.recorder.record(result, policy, history, decide=plan_notifications)
        findings = exempted(evaluated.findings, cluster, policy, context.now)
        if not evaluated.postponed:
            record_findings("cluster checked", cluster.id, findings)
        actions = self.dispatcher.dispatch(recorded)
        records = recorded.plan.records.values()
        unread_for_now = any(each.to_be_read_again(context.now) for each in records)
        if evaluated.facts is not None and not evaluated.postponed:
            self.check_buckets.of_cluster(
                evaluated.facts, context, force_refresh=request.force_refresh
            )
            self.notify_unusable_keys(policy, missing_approved_keys(evaluated.facts.approved_keys))
        return ClusterChecked(
            cluster.id,
            cluster.state,
            findings,
            tuple(type(action).__name__ for action in actions),
            evaluated.incomplete or unread_for_now,
            Described(cluster) if evaluated.postponed else None,
            frozenset() if unread_for_now else evaluated.unread_steps,
        )

    def _evaluate(  # noqa: PLR0913 - the inputs of an evaluation
        self,
        request: ClusterCheckRequest,
        cluster: Cluster,
        history: ClusterHistory,
        steps: ClusterSteps,
        context: EvaluationContext,
        *,
        described: bool,
    ) -> "_Evaluated":
        """Evaluate a cluster as read or stored, unless it has terminated."""
        known = ClusterSnapshot(cluster, request.launched_by)
        result = CheckResult(
            cluster.id, cluster, known=known, described=described, since=request.at
        )
        if cluster.terminated and history.known is not None and history.known.evaluated:
            return _Evaluated(cluster, replace(result, over=True), None)
        known = known.merged_into(history.known)
        read_facts = self.read_uncached if request.force_refresh else self.read_facts
        evaluation = evaluate_cluster(known, replace(read_facts, workloads=steps), context)
        facts = evaluation.facts
        updated = replace(
            known,
            keys=facts.key_arns,
            log_key_worked=usable.can_encrypt(facts).compliance is Compliance.COMPLIANT,
            evaluated=True,
        )
        at_launch = described and cluster.launching
        later = steps.left or steps.rate_limited
        results = tuple(
            RuleResult(finding, Kind.CLUSTER, context.now, at_launch=at_launch)
            for finding in evaluation.findings
            if not (later and finding.unread_for_now)
        )
        result = replace(result, results=results, known=steps.added_to(updated))
        unread = facts.unread_steps
        incomplete = steps.rate_limited or (unread is not None and unread.transient)
        return _Evaluated(
            cluster,
            result,
            facts,
            evaluation.findings,
            incomplete,
            steps.unread,
            postponed=steps.left,
        )


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """A cluster, and the result of its evaluation."""

    cluster: Cluster
    result: CheckResult
    facts: ClusterFacts | None
    """None when the cluster has terminated."""
    findings: tuple[Finding, ...] = ()
    """One per rule, including those that are not recorded as long as steps are still to be read."""
    incomplete: bool = False
    """Whether steps or sessions could not be read for now."""
    unread_steps: frozenset[str] = frozenset()
    """The steps that events name, if only these could not be read for now."""
    postponed: bool = False
    """Whether its steps are still to be read."""


@dataclass(frozen=True, slots=True)
class CheckClusters:
    """Checks the clusters of a batch of messages, each of them once."""

    check_cluster: CheckCluster
    clock: Callable[[], datetime]
    timer: Callable[[], float] = monotonic

    def read(self, body: str) -> ClusterCheckRequest:
        """Parse a message.

        Raises:
            InvalidEventError: It does not name a cluster.

        """
        return parse_cluster_message(body)

    def check(self, requests: Sequence[ClusterCheckRequest]) -> list[ClusterCheckRequest]:
        """Check each cluster once, for any number of requests.

        Events of EMR come before re-checks, and the oldest first. All clusters are described and
        alerted before the steps of any of them are listed: EMR has half the quota for that.

        Returns:
            The requests of the clusters that could not be checked, or not completely, to be
            redelivered; an error of one cluster does not affect the others.

        """
        by_cluster: defaultdict[str, list[ClusterCheckRequest]] = defaultdict(list)
        for request in requests:
            by_cluster[request.cluster_id].append(request)
        started = self.timer()
        unchecked: list[ClusterCheckRequest] = []
        incomplete: list[ClusterCheckRequest] = []
        postponed: list[tuple[list[ClusterCheckRequest], Described]] = []
        for group in sorted(by_cluster.values(), key=_urgency):
            in_time = self.timer() - started < BATCH_SECONDS
            checked = self._check(group, postpone_steps=len(by_cluster) > 1) if in_time else None
            if checked is None:
                unchecked += group
            elif checked.postponed is not None:
                postponed.append((group, checked.postponed))
            else:
                incomplete += filter(checked.to_be_repeated, group)
        for group, described in postponed:
            in_time = self.timer() - started < STEPS_SECONDS
            checked = self._check(group, described) if in_time else None
            incomplete += filter(checked.to_be_repeated, group) if checked else group
        waiting = [each.at for each in unchecked if each.at and not each.force_refresh]
        if waiting:
            record_oldest_unchecked(self.clock() - min(waiting))
        return [*unchecked, *incomplete]

    def _check(
        self,
        group: Sequence[ClusterCheckRequest],
        described: Described | None = None,
        *,
        postpone_steps: bool = False,
    ) -> ClusterChecked | None:
        """Check a cluster; None when that failed."""
        request = ClusterCheckRequest.merged(group)
        try:
            return self.check_cluster(request, described, postpone_steps=postpone_steps)
        except TemporarilyUnavailableError as error:
            logger.warning("check postponed", cluster_id=request.cluster_id, reason=str(error))
        except Exception:  # any error: the messages are redelivered, then dead-lettered
            logger.exception("cluster not checked", cluster_id=request.cluster_id)
            record_failed_messages(len(group))
        return None


def _urgency(group: Sequence[ClusterCheckRequest]) -> tuple[bool, datetime]:
    merged = ClusterCheckRequest.merged(group)
    return all(each.force_refresh for each in group), merged.at or datetime.max.replace(tzinfo=UTC)
