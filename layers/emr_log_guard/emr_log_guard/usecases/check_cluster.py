"""Check one cluster: read it, judge it, tell about it, hand it on to be ended."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.ledger import Kind
from emr_log_guard.observability import record_findings
from emr_log_guard.rules import CLUSTER_RULES
from emr_log_guard.rules.judge import Judging, judge_cluster
from emr_log_guard.usecases.keep_ledger import Judgement, KeepLedger
from emr_log_guard.usecases.ports import Clusters
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts


@dataclass(frozen=True, slots=True)
class ClusterChecked:
    """What came of checking a cluster."""

    cluster_id: str
    findings: tuple[Finding, ...]
    actions: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """Say it in JSON, for the invocation's result and `sam local invoke`."""
        return {
            "cluster_id": self.cluster_id,
            "compliance": overall(finding.compliance for finding in self.findings),
            "rules": {
                finding.rule_id: finding.compliance
                for finding in self.findings
                if finding.compliance is not Compliance.NOT_APPLICABLE
            },
            "actions": list(self.actions),
        }


@dataclass(frozen=True, slots=True)
class CheckCluster:
    """Judges a cluster by what EMR, KMS and IAM say of it now; an event only says where to look."""

    clusters: Clusters
    read_facts: ReadClusterFacts
    keep: KeepLedger
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def __call__(self, cluster_id: str) -> ClusterChecked:
        """Check the cluster.

        Raises:
            ClusterNotFoundError: EMR does not know the cluster that it told about: the event is
                tried again and then dead-lettered.

        """
        now = self.clock()
        cluster = self.clusters.describe(cluster_id)
        findings = () if cluster.ended else self._judge(cluster, now)
        record_findings("cluster checked", cluster_id, findings)
        actions = self.keep(Judgement(cluster_id, cluster, findings, Kind.CLUSTER, now))
        return ClusterChecked(cluster_id, findings, tuple(type(a).__name__ for a in actions))

    def _judge(self, cluster: Cluster, now: datetime) -> tuple[Finding, ...]:
        """Judge a cluster that lives; for one that ended, nothing can be done any more."""
        facts = self.read_facts(cluster)
        return judge_cluster(facts, CLUSTER_RULES, Judging(now, self.runbook))
