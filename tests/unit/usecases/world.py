"""Use cases wired to fakes, all of which write into one journal."""

from dataclasses import dataclass, field
from datetime import datetime

from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.domain.policy import Policy
from emr_log_guard.usecases.act import Act
from emr_log_guard.usecases.check_cluster import CheckCluster
from emr_log_guard.usecases.check_log_objects import CheckLogObjects
from emr_log_guard.usecases.enforce import Enforce
from emr_log_guard.usecases.keep_ledger import KeepLedger
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject
from tests.unit.builders import NOW, a_cluster, a_policy
from tests.unit.fake_table import FakeTable
from tests.unit.fakes import (
    FakeAlerts,
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

    def __post_init__(self) -> None:
        self.clusters = FakeClusters(a_cluster(), journal=self.journal)
        self.alerts = FakeAlerts(self.journal)
        self.queue = FakeQueue(self.journal)
        self.table = FakeTable()
        self.ledger = DynamoLedger(self.table, "findings")
        self.now = NOW

    def clock(self) -> datetime:
        return self.now

    @property
    def keep(self) -> KeepLedger:
        return KeepLedger(self.ledger, self.policy, self.act, self.clock, lambda _: None)

    @property
    def act(self) -> Act:
        return Act(self.alerts, self.queue)

    @property
    def read_object(self) -> ReadLogObject:
        return ReadLogObject(self.clusters, self.objects, self.keys)

    @property
    def check_cluster(self) -> CheckCluster:
        read_facts = ReadClusterFacts(self.keys, self.policy.approved_keys, self.roles)
        return CheckCluster(self.clusters, read_facts, self.keep, self.clock, runbook)

    @property
    def check_log_objects(self) -> CheckLogObjects:
        return CheckLogObjects(self.read_object, self.policy, self.keep, self.clock, runbook)

    @property
    def enforce(self) -> Enforce:
        return Enforce(
            clusters=self.clusters,
            read_facts=ReadClusterFacts(self.keys, self.policy.approved_keys),
            read_object=self.read_object,
            policy=self.policy,
            alerts=self.alerts,
            clock=lambda: NOW,
            runbook=runbook,
        )
