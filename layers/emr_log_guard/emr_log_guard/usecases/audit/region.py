"""One Region of one account: list its clusters, read and evaluate each as the pages come."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditedCluster, AuditTarget
from emr_log_guard.domain.clusters import Cluster, ClusterSummary
from emr_log_guard.domain.decide import exempted
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.keys import KeyFact, KmsKey
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import AuditStoppedError, ClusterNotFoundError, NotReadableError
from emr_log_guard.rules.evaluation import EvaluationContext
from emr_log_guard.usecases.audit.log_objects import AuditLogObjects, LogObjectsAudited
from emr_log_guard.usecases.audit.scope import AuditScope
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.evaluate import evaluate_cluster
from emr_log_guard.usecases.ports import ListedClusters, ListedLogObjects, Progress, Steps

_WITHOUT_THE_KEY = frozenset({"EMRLOG-001", "EMRLOG-002", "EMRLOG-003", "EMRLOG-012", "EMRLOG-013"})
"""The rules that need no key."""


@dataclass(frozen=True, slots=True)
class RegionAccess:
    """The access to one Region of one account."""

    clusters: ListedClusters
    read_facts: ReadClusterFacts
    objects: ListedLogObjects | None
    """None where log objects are not checked."""
    steps: Steps
    """Used for log objects that their cluster's settings do not explain."""


@dataclass(frozen=True, slots=True)
class AuditRegion:
    """Audits one Region with many concurrent calls."""

    access: RegionAccess
    scope: AuditScope
    context: EvaluationContext
    progress: Progress
    stopped: Event

    def __call__(
        self,
        place: AuditTarget,
        note: Callable[[AuditTarget], None],
        add: Callable[[AuditedCluster], None],
    ) -> None:
        """Audit the Region.

        Args:
            place: The account and Region, as far as known.
            note: Receives its updates: clusters found, and what could not be listed.
            add: Receives each evaluated cluster, from several threads.

        """
        with (
            ThreadPoolExecutor(self.scope.threads, "cluster") as pool,
            ThreadPoolExecutor(self.scope.object_threads, "object") as object_pool,
        ):
            one = _OneCluster(self, self.read_facts(), object_pool, add)
            jobs: list[Future[None]] = []
            try:
                for summary, cluster in self._found():
                    account = place.account or Arn.of(summary.arn).account
                    place = replace(place, account=account, listed=place.listed + 1)
                    note(place)
                    self.progress.listed()
                    jobs.append(pool.submit(one, summary, cluster))
            except NotReadableError as error:
                place = replace(place, problem=str(error))
                note(place)
            for job in jobs:
                job.result()

    def _found(self) -> Iterator[tuple[ClusterSummary, Cluster | None]]:
        """List the clusters; those requested by id are read directly."""
        if not self.scope.cluster_ids:
            for summary in self.access.clusters.summaries(self.scope.states):
                yield summary, None
            return
        for cluster_id in self.scope.cluster_ids:
            try:
                cluster = self.access.clusters.read(cluster_id)
            except ClusterNotFoundError:
                continue  # it may be in another Region
            if isinstance(cluster, Unresolved):
                raise NotReadableError(cluster.reason)
            yield ClusterSummary(cluster.id, cluster.name, cluster.arn, cluster.state), cluster

    def read_facts(self) -> ReadClusterFacts:
        """Skip reading the key if no rule needs it."""
        read_facts, rules = self.access.read_facts, self.scope.cluster_rules
        if self.scope.objects or {rule.id for rule in rules} - _WITHOUT_THE_KEY:
            return read_facts
        return replace(read_facts, keys=_UnusedKeys())


@dataclass(frozen=True, slots=True)
class _OneCluster:
    """Reads and evaluates one cluster."""

    place: AuditRegion
    read_facts: ReadClusterFacts
    object_pool: ThreadPoolExecutor
    add: Callable[[AuditedCluster], None]

    def __call__(self, summary: ClusterSummary, cluster: Cluster | None) -> None:
        if self.place.stopped.is_set():
            return
        try:
            self.add(self._audited(summary, cluster))
        except AuditStoppedError:
            return

    def _audited(self, summary: ClusterSummary, cluster: Cluster | None) -> AuditedCluster:
        try:
            read = cluster or self.place.access.clusters.read(summary.id)
        except ClusterNotFoundError as error:
            reason = f"elasticmapreduce:DescribeCluster on {summary.id} answered: {error}"
            return AuditedCluster(summary, unresolved=(reason,))
        if isinstance(read, Unresolved):
            return AuditedCluster(summary, unresolved=(read.reason,))
        context, scope = self.place.context, self.place.scope
        findings = evaluate_cluster(ClusterSnapshot(read), self.read_facts, context).findings
        logs = self._log_objects(read)
        return AuditedCluster(
            replace(summary, state=read.state),
            tuple(exempted((*findings, *logs.findings), read, scope.policy, context.now)),
            logs.unresolved,
            logs.count,
            logs.listed,
        )

    def _log_objects(self, cluster: Cluster) -> LogObjectsAudited:
        place = self.place
        if place.access.objects is None or not place.scope.object_rules:
            return LogObjectsAudited()
        audit = AuditLogObjects(
            place.access.objects,
            place.access.read_facts.keys,
            place.access.steps,
            place.scope,
            self.object_pool,
            place.progress,
        )
        return audit(cluster, place.context)


class _UnusedKeys:
    """Keys that no rule needs."""

    def describe(self, identifier: str) -> KeyFact:
        return Unresolved(f"no rule needs {identifier}")

    def rotation(self, key: KmsKey) -> bool | Unresolved:
        return Unresolved(f"no rule needs the rotation of {key.arn}")

    def policy(self, key_arn: str) -> Mapping[str, object] | Unresolved:
        return Unresolved(f"no rule needs the policy of {key_arn}")
