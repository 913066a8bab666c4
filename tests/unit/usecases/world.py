"""Use cases wired to fakes, all of which write into one journal."""

from dataclasses import dataclass, field

from emr_log_guard.domain.policy import Policy
from emr_log_guard.usecases.act import Act
from emr_log_guard.usecases.check_cluster import CheckCluster
from emr_log_guard.usecases.check_log_objects import CheckLogObjects
from emr_log_guard.usecases.enforce import Enforce
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject
from tests.unit.builders import NOW, a_cluster, a_policy
from tests.unit.fakes import (
    FakeAlerts,
    FakeBuckets,
    FakeClusters,
    FakeKeys,
    FakeLogObjects,
    FakeQueue,
    FakeRoles,
    Journal,
)


def runbook(rule_id: str) -> str:
    return f"https://example.com/{rule_id}.md"


@dataclass
class World:
    """What the use cases meet: one compliant cluster, unless a test says otherwise."""

    journal: Journal = field(default_factory=list)
    policy: Policy = field(default_factory=a_policy)
    keys: FakeKeys = field(default_factory=FakeKeys)
    roles: FakeRoles = field(default_factory=FakeRoles)
    objects: FakeLogObjects = field(default_factory=FakeLogObjects)
    buckets: FakeBuckets = field(default_factory=FakeBuckets)
    checked_buckets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.clusters = FakeClusters(a_cluster(), journal=self.journal)
        self.alerts = FakeAlerts(self.journal)
        self.queue = FakeQueue(self.journal)

    @property
    def act(self) -> Act:
        return Act(self.alerts, self.queue)

    @property
    def read_object(self) -> ReadLogObject:
        return ReadLogObject(self.clusters, self.objects, self.keys, self.clusters)

    @property
    def check_cluster(self) -> CheckCluster:
        read_facts = ReadClusterFacts(
            self.keys, (), self.roles, self.clusters, self.buckets, self.checked_buckets
        )
        return CheckCluster(
            self.clusters, read_facts, lambda: self.policy, self.act, lambda: NOW, runbook
        )

    @property
    def check_log_objects(self) -> CheckLogObjects:
        return CheckLogObjects(
            self.read_object, lambda: self.policy, self.act, lambda: NOW, runbook
        )

    @property
    def enforce(self) -> Enforce:
        return Enforce(
            clusters=self.clusters,
            read_facts=ReadClusterFacts(self.keys, (), workloads=self.clusters),
            read_object=self.read_object,
            policy=lambda: self.policy,
            alerts=self.alerts,
            clock=lambda: NOW,
            runbook=runbook,
        )
