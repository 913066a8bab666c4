"""Use cases wired to fakes, all of which write into one journal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from emr_log_guard.adapters.approved_targets import DynamoApprovedTargets
from emr_log_guard.adapters.dynamodb import (
    DynamoFindingRepository,
    DynamoPolicyHistory,
    DynamoReencryptionBudget,
)
from emr_log_guard.domain.clusters import LogBucket
from emr_log_guard.domain.finding_record import FindingRecord
from emr_log_guard.domain.notification_plan import plan_notifications
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.termination import Termination
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.usecases.approved_keys import NotifyUnusableKeys
from emr_log_guard.usecases.checks.cluster import CheckCluster, ClusterChecked
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.checks.log_buckets import CheckLogBuckets
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject
from emr_log_guard.usecases.checks.log_objects import CheckLogObjects
from emr_log_guard.usecases.findings import (
    ActionDispatcher,
    CheckResult,
    Enforcers,
    FindingRecorder,
)
from emr_log_guard.usecases.policy import NotifyPolicyChange
from emr_log_guard.usecases.remediation.enforce import Enforce
from emr_log_guard.usecases.remediation.reencrypt import ReencryptLogObjects
from tests.unit.builders import ACCOUNT, CLUSTER_ID, NOW, REGION, a_cluster, a_policy
from tests.unit.fake_table import FakeTable
from tests.unit.fakes import (
    FakeAlerts,
    FakeBuckets,
    FakeClusters,
    FakeKeys,
    FakePolicyVersions,
    FakeQueue,
    FakeRechecks,
    FakeReencryptable,
    FakeReencryptionQueue,
    FakeRoles,
    FakeSchedules,
    FakeSuppressions,
    Journal,
)


def created(
    key: str, *, bucket: str = "example-logs", region: str = REGION, at: datetime | None = None
) -> str:
    """Write the event that S3 sends when an object was created."""
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "account": ACCOUNT,
        "region": region,
        "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
    }
    return json.dumps(event | ({"time": at.isoformat()} if at else {}))


def runbook(rule_id: str) -> str:
    return f"https://example.com/{rule_id}.md"


@dataclass
class World:
    """What the use cases meet: one compliant cluster, unless a test says otherwise."""

    journal: Journal = field(default_factory=list)
    policy: Policy = field(default_factory=a_policy)
    keys: FakeKeys = field(default_factory=FakeKeys)
    roles: FakeRoles = field(default_factory=FakeRoles)
    objects: FakeReencryptable = field(default_factory=FakeReencryptable)
    buckets: FakeBuckets = field(default_factory=FakeBuckets)
    checked_buckets: tuple[str, ...] = ()

    now: datetime = NOW
    suppressions: FakeSuppressions | None = None
    policy_asked: list[bool] = field(default_factory=list)
    table: FakeTable = field(default_factory=FakeTable)
    buckets_checked: dict[str, tuple[LogBucket, Policy, datetime]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clusters = FakeClusters(a_cluster(), journal=self.journal)
        self.alerts = FakeAlerts(self.journal)
        self.queue = FakeQueue(self.journal)
        self.schedules = FakeSchedules(self.journal)
        self.rechecks = FakeRechecks()
        self.reencryptions = FakeReencryptionQueue()
        self.repository = DynamoFindingRepository(self.table, "findings")
        self.targets = DynamoApprovedTargets(self.table, "findings")

    def wait(self, seconds: float) -> None:
        """Let no time pass: an invocation that was about to alert does not come back."""

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)

    def clock(self) -> datetime:
        return self.now

    def current_policy(self, *, force_refresh: bool = False) -> Policy:
        """Return the policy, and record whether the cache was bypassed."""
        self.policy_asked.append(force_refresh)
        return self.policy

    def policy_now(self, *, force_refresh: bool = False) -> Policy:
        """Give the policy as it is stored."""
        assert force_refresh
        return self.policy

    @property
    def records(self) -> Mapping[str, FindingRecord]:
        return self.repository.read(CLUSTER_ID).records

    @property
    def termination(self) -> Termination | None:
        return self.repository.read(CLUSTER_ID).termination

    @property
    def kinds(self) -> list[str]:
        return [str(alert.kind) for alert in self.alerts.published]

    @property
    def recorder(self) -> FindingRecorder:
        return FindingRecorder(self.repository, self.clock, "check_cluster", self.policy_now)

    @property
    def dispatcher(self) -> ActionDispatcher:
        enforcers = Enforcers(self.queue, self.schedules)
        return ActionDispatcher(self.repository, self.alerts, self.clock, enforcers, self.wait)

    def record(self, result: CheckResult, policy: Policy) -> None:
        """Record what a check found, decide and act."""
        self.dispatcher.dispatch(
            self.recorder.record(result, policy, None, decide=plan_notifications)
        )

    @property
    def read_object(self) -> ReadLogObject:
        return ReadLogObject(
            self.clusters, self.objects, self.keys, self.clusters, self.repository, self.targets
        )

    @property
    def notify_unusable_keys(self) -> NotifyUnusableKeys:
        history = DynamoPolicyHistory(self.table, "findings", self.clock)
        return NotifyUnusableKeys("/emr-log-guard/test/policy", history, self.alerts, self.clock)

    @property
    def check_cluster(self) -> CheckCluster:
        read_facts = ReadClusterFacts(
            self.keys,
            (),
            self.roles,
            self.clusters,
            self.buckets,
            self.checked_buckets,
            self.targets,
        )
        read_facts = replace(read_facts, bucket_owners=self.buckets)
        return CheckCluster(
            first_reads=self.clusters,
            clusters=self.clusters,
            workloads=self.clusters,
            read_facts=read_facts,
            read_uncached=read_facts,
            policy=self.current_policy,
            repository=self.repository,
            recorder=self.recorder,
            dispatcher=self.dispatcher,
            check_buckets=self.check_buckets,
            notify_unusable_keys=self.notify_unusable_keys,
            clock=self.clock,
            runbook=runbook,
        )

    @property
    def notify_change(self) -> NotifyPolicyChange:
        return NotifyPolicyChange(FakePolicyVersions(), self.alerts)

    @property
    def check_buckets(self) -> CheckLogBuckets:
        return CheckLogBuckets(
            self.buckets,
            self.checked_buckets,
            self.repository,
            self.recorder,
            self.dispatcher,
            self.buckets_checked,
        )

    def check(self, launched_by: str | None = None) -> ClusterChecked:
        """Check the one cluster."""
        return self.check_cluster(ClusterCheckRequest(CLUSTER_ID, launched_by))

    @property
    def check_log_objects(self) -> CheckLogObjects:
        return CheckLogObjects(
            read_object=self.read_object,
            policy=self.current_policy,
            repository=self.repository,
            recorder=self.recorder,
            dispatcher=self.dispatcher,
            clock=self.clock,
            runbook=runbook,
            reencryption=self.reencryptions if self.policy.reencryption.allowed else None,
        )

    @property
    def reencrypt(self) -> ReencryptLogObjects:
        return ReencryptLogObjects(
            read_object=self.read_object,
            objects=self.objects,
            fresh_keys=lambda: self.keys,
            fresh_buckets=lambda: self.buckets,
            policy=self.current_policy,
            repository=self.repository,
            recorder=FindingRecorder(self.repository, self.clock, "reencrypt"),
            dispatcher=ActionDispatcher(self.repository, self.alerts, self.clock, wait=self.wait),
            budget=DynamoReencryptionBudget(self.table, "findings"),
            queue=self.reencryptions,
            notify_unusable_keys=self.notify_unusable_keys,
            clock=self.clock,
            runbook=runbook,
        )

    @property
    def enforce(self) -> Enforce:
        return Enforce(
            clusters=self.clusters,
            read_facts=ReadClusterFacts(
                self.keys,
                (),
                workloads=self.clusters,
                approved_targets=self.targets,
                bucket_owners=self.buckets,
            ),
            read_object=self.read_object,
            policy=lambda: self.policy,
            repository=self.repository,
            recorder=FindingRecorder(self.repository, self.clock, "enforce"),
            dispatcher=ActionDispatcher(self.repository, self.alerts, self.clock, wait=self.wait),
            alerts=self.alerts,
            queue=self.queue,
            rechecks=self.rechecks,
            clock=self.clock,
            runbook=runbook,
            suppressions=self.suppressions,
        )
