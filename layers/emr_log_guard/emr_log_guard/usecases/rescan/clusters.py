"""A shard of clusters: known ones are evaluated from their snapshot, others are checked.

A cluster's log settings never change, so only its keys have to be re-read. A cluster that is not
compliant is checked as if by an event, so it is alerted and scheduled in the same way.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from emr_log_guard.domain.arn import bucket_named
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.findings import Finding, overall_of
from emr_log_guard.domain.rescan import Shard, ShardDone
from emr_log_guard.errors import ClusterNotFoundError
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.rendering.alerts.alert_json import finding_json
from emr_log_guard.rules import emrlog_007_roles_can_use_log_key as roles_can_use_key
from emr_log_guard.rules import emrlog_008_steps_keep_the_cluster_key as steps_keep_key
from emr_log_guard.rules import emrlog_009_log_bucket_sends_events as bucket_sends_events
from emr_log_guard.rules.evaluation import EvaluationContext
from emr_log_guard.usecases.checks.cluster import CheckCluster
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.evaluate import evaluate_cluster
from emr_log_guard.usecases.rescan.ports import ClusterSnapshots

EXTRA_CALL_RULES = frozenset(
    {roles_can_use_key.RULE.id, steps_keep_key.RULE.id, bucket_sends_events.RULE.id}
)
"""The rules that need more than a cluster's settings and keys: only events and deep re-scans."""

type WriteLine = Callable[[object], None]


@dataclass(frozen=True, slots=True)
class _Result:
    cluster_id: str
    """Of a log bucket with an open finding, its ARN."""
    state: str | None
    findings: tuple[Finding, ...]
    described: bool

    @property
    def compliance(self) -> Compliance:
        return overall_of(self.findings)


@dataclass(frozen=True, slots=True)
class ScanClusters:
    """Evaluates clusters; one that is not compliant is checked as if by an event."""

    check: CheckCluster
    known: ClusterSnapshots
    read_facts: ReadClusterFacts
    """Reads keys, each of them once."""
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def __call__(self, shard: Shard, write_line: WriteLine) -> ShardDone:
        """Evaluate the clusters of a shard, and write a line for each."""
        counts: Counter[str] = Counter()
        attention: list[str] = []
        described = 0
        for result in self._results(shard):
            if bucket_named(result.cluster_id) is None:
                counts[result.compliance] += 1
                described += result.described
            wrong = [finding for finding in result.findings if finding.needs_attention]
            if wrong:
                attention.append(result.cluster_id)
            write_line(
                {
                    "cluster_id": result.cluster_id,
                    "state": result.state,
                    "compliance": result.compliance,
                    "findings": [finding_json(finding) for finding in wrong],
                }
            )
        return ShardDone(
            shard=shard.id, clusters=counts, described=described, attention=tuple(attention)
        )

    def _results(self, shard: Shard) -> Iterator[_Result]:
        snapshots = self.known.snapshots(shard.known)
        for cluster_id in shard.known:
            known = snapshots.get(cluster_id)
            findings = self._from_snapshot(known) if known else ()
            if known and not any(finding.needs_attention for finding in findings):
                yield _Result(cluster_id, None, findings, described=False)
            else:
                yield self._checked(cluster_id)
        for cluster_id in shard.clusters:
            yield self._checked(cluster_id)

    def _from_snapshot(self, known: ClusterSnapshot) -> tuple[Finding, ...]:
        """Evaluate from settings that cannot change, and current keys."""
        context = EvaluationContext(
            self.check.policy(),
            self.clock(),
            self.runbook,
            lambda rule: rule.id not in EXTRA_CALL_RULES,
        )
        # Its steps would cost a ListSteps each: here EMRLOG-013 covers only its own bucket.
        read_facts = replace(self.read_facts, workloads=None)
        return evaluate_cluster(known, read_facts, context).findings

    def _checked(self, cluster_id: str) -> _Result:
        try:
            checked = self.check(ClusterCheckRequest(cluster_id))
        except ClusterNotFoundError:
            state = self.check.record_termination(cluster_id)
            return _Result(cluster_id, state, (), described=True)
        return _Result(cluster_id, checked.state, checked.findings, described=True)
