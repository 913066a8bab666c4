"""The world as the use cases' ports see it: each fake answers from memory and records its calls."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import batched
from typing import Any

import msgspec

from emr_log_guard.domain.clusters import (
    BucketOwnership,
    Cluster,
    ClusterSummary,
    Session,
    Step,
    StepState,
)
from emr_log_guard.domain.decide import Alert, RequestEnforcement, ScheduleEnforcement
from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
from emr_log_guard.domain.keys import KeyFact, KeyNotFound, KmsKey
from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
from emr_log_guard.domain.policy import PolicyChange, PolicyProblem
from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.domain.reencryption_plan import ReencryptionPlan
from emr_log_guard.domain.rescan import (
    Folder,
    RescanCheckpoint,
    Shard,
    ShardDone,
    ShardFailed,
    ShardKind,
)
from emr_log_guard.domain.rescan_report import RescanReport
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    ClusterNotFoundError,
    GuardError,
    NotReadableError,
    ObjectNotFoundError,
)
from emr_log_guard.usecases.ports import StoredPolicy
from emr_log_guard.usecases.rescan.ports import ListedObject
from tests.unit.builders import (
    ACCOUNT,
    KEY,
    NODE_ROLE_ARN,
    REGION,
    SERVICE_ROLE_ARN,
    encrypted,
)

type Journal = list[str]
"""What was done, in its order; fakes that share one show who came first."""

DELEGATING_POLICY: Mapping[str, object] = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ]
}


class FakeClusters:
    def __init__(self, *clusters: Cluster, journal: Journal | None = None) -> None:
        self.known = {cluster.id: cluster for cluster in clusters}
        self.asked: list[str] = []
        self.journal: Journal = [] if journal is None else journal
        self.failures: dict[str, BaseException] = {}
        self.listed: tuple[Step, ...] | Unresolved = ()
        self.steps_asked: list[str] = []
        self.most_pages = 20
        self.listed_sessions: tuple[Session, ...] | Unresolved = ()
        self.sessions_asked: list[str] = []

    def describe(self, cluster_id: str) -> Cluster:
        self.asked.append(cluster_id)
        if cluster_id not in self.known:
            message = f"Cluster id '{cluster_id}' is not valid."
            raise ClusterNotFoundError(message)
        return self.known[cluster_id]

    def steps(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        listed = self.all_steps(cluster_id)
        if isinstance(listed, Unresolved):
            return listed
        return tuple(each for each in listed if each.has_log_settings)

    log_writers = steps

    def all_steps(
        self, cluster_id: str, wanted: Sequence[str] = ()
    ) -> tuple[Step, ...] | Unresolved:
        self.steps_asked.append(cluster_id)
        if isinstance(self.listed, Unresolved):
            return self.listed
        most = self.most_pages * 50
        listed = tuple(
            each
            for number, each in enumerate(reversed(self.listed))
            if number < most or not (each.finished or each.state is StepState.CANCELLED)
        )
        return self._with_wanted(cluster_id, wanted, listed)

    def new_steps(
        self, cluster_id: str, wanted: Sequence[str], known: Collection[str]
    ) -> tuple[Step, ...] | Unresolved:
        """Read pages of 50 steps, the newest first; then what is missing by its id."""
        read: list[Step] = []
        listed = () if isinstance(self.listed, Unresolved) else self.listed
        for number, page in enumerate([*batched(reversed(listed), 50)] or [()], 1):
            self.steps_asked.append(f"{cluster_id} page {number}")
            read += page
            if number == self.most_pages or any(each.id in known for each in page):
                break
        if isinstance(self.listed, Unresolved):
            return self.listed
        return self._with_wanted(cluster_id, wanted, tuple(read))

    def named_steps(
        self, cluster_id: str, step_ids: Sequence[str]
    ) -> tuple[Step, ...] | Unresolved:
        self.steps_asked.append(" ".join((cluster_id, *step_ids)))
        if isinstance(self.listed, Unresolved):
            return self.listed
        return tuple(each for each in reversed(self.listed) if each.id in step_ids)

    def _with_wanted(
        self, cluster_id: str, wanted: Sequence[str], listed: tuple[Step, ...]
    ) -> tuple[Step, ...] | Unresolved:
        missing = [each for each in wanted if each not in {step.id for step in listed}]
        older = self.named_steps(cluster_id, missing) if missing else ()
        return older if isinstance(older, Unresolved) else (*listed, *older)

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        self.sessions_asked.append(cluster_id)
        return self.listed_sessions

    def set_termination_protection(self, cluster_id: str, *, protected: bool) -> None:
        self._do("protect" if protected else "unprotect", cluster_id)

    def terminate(self, cluster_id: str) -> None:
        self._do("terminate", cluster_id)

    def _do(self, action: str, cluster_id: str) -> None:
        self.journal.append(f"{action} {cluster_id}")
        if action in self.failures:
            raise self.failures[action]


class FakeKeys:
    def __init__(
        self,
        facts: Mapping[str, KeyFact] | None = None,
        policy: Mapping[str, object] | Unresolved = DELEGATING_POLICY,
    ) -> None:
        self.facts = {KEY.arn: KEY} if facts is None else facts
        self.document = policy
        self.asked: list[str] = []
        self.policies_asked: list[str] = []
        self.rotated: bool | Unresolved = True
        self.rotations_asked: list[str] = []

    def describe(self, identifier: str) -> KeyFact:
        self.asked.append(identifier)
        nothing = KeyNotFound(identifier, "kms:DescribeKey answered NotFoundException")
        return self.facts.get(identifier, nothing)

    def policy(self, key_arn: str) -> Mapping[str, object] | Unresolved:
        self.policies_asked.append(key_arn)
        return self.document

    def rotation(self, key: KmsKey) -> bool | Unresolved:
        self.rotations_asked.append(key.arn)
        return self.rotated


class FakeRoles:
    def __init__(
        self,
        decision: IdentityDecision | UndeterminedDecision | Unresolved = IdentityDecision.ALLOWED,
    ) -> None:
        self.decision = decision
        self.service_role: str | Unresolved = SERVICE_ROLE_ARN
        self.node_role: str | Unresolved = NODE_ROLE_ARN
        self.asked: list[str] = []

    def role_arn(self, role: str) -> str | Unresolved:
        self.asked.append(role)
        return self.service_role

    def instance_profile_role_arn(self, profile: str) -> str | Unresolved:
        self.asked.append(profile)
        return self.node_role

    def simulate(
        self, role_arn: str, action: str, resource: str
    ) -> IdentityDecision | UndeterminedDecision | Unresolved:
        self.asked.append(f"{role_arn} {action} {resource}")
        return self.decision


class FakeBuckets:
    def __init__(self, sending: bool | Unresolved | None = True) -> None:  # noqa: FBT001, FBT002
        self.sending = sending
        self.asked: list[str] = []

        self.owner: str | Unresolved | None = ACCOUNT
        self.owners_asked: list[tuple[str, tuple[str, ...]]] = []

    def sends_events(self, bucket: str) -> bool | Unresolved | None:
        self.asked.append(bucket)
        return self.sending

    def ownership(self, bucket: str, accounts: tuple[str, ...]) -> BucketOwnership | Unresolved:
        """Answer as S3 does: an owner that was not asked about is not disclosed."""
        self.owners_asked.append((bucket, accounts))
        if isinstance(self.owner, Unresolved):
            return self.owner
        return BucketOwnership(self.owner if self.owner in accounts else None, REGION)


class FakeLogObjects:
    def __init__(self, heads: Mapping[str, Encryption | Unresolved | Exception] | None = None):
        self.heads = heads or {}
        self.asked: list[ObjectVersion] = []
        self.owners: set[str | None] = set()
        """Who was expected to own the buckets."""

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Answer by key; an object that was not spoken of carries KEY."""
        self.asked.append(version)
        self.owners.add(owner)
        head = self.heads.get(version.key, encrypted("aws:kms", KEY.arn))
        if isinstance(head, Exception):
            raise head
        return head


class FakeReencryptable(FakeLogObjects):
    """Log objects whose key can be changed."""

    def __init__(self) -> None:
        super().__init__({})
        self.updates: list[tuple[ObjectVersion, str, str, bool]] = []
        """Each object, its new key, the expected owner, and whether a bucket key is used."""
        self.refusals: dict[str, BaseException] = {}
        """What is raised instead, by the key of the object."""
        self.after: dict[str, BaseException] = {}
        """What is raised once an object was updated, by the key of the object: the answer is
        lost."""
        self.unchanged: set[str] = set()
        """Objects that an update leaves as they are."""

    def reencrypt(
        self, version: ObjectVersion, key_arn: str, owner: str, *, bucket_key: bool
    ) -> None:
        if version.key in self.refusals:
            raise self.refusals[version.key]
        self.updates.append((version, key_arn, owner, bucket_key))
        if version.key not in self.unchanged:
            self.heads = {**self.heads, version.key: encrypted("aws:kms", key_arn)}
        if version.key in self.after:
            raise self.after[version.key]


class FakeReencryptionQueue:
    def __init__(self) -> None:
        self.sent: list[tuple[ObjectVersion, int]] = []

    def send(self, versions: Iterable[ObjectVersion], delay_seconds: int = 0) -> None:
        self.sent += ((version, delay_seconds) for version in versions)


class FakeListing:
    """The clusters as they are listed, and the folders of their logs."""

    def __init__(self) -> None:
        self.active: list[str] = []
        self.terminating: list[str] = []
        self.asked: list[tuple[tuple[str, ...], datetime | None]] = []

    def summaries(
        self, states: Sequence[str], created_after: datetime | None = None
    ) -> Iterator[ClusterSummary]:
        self.asked.append((tuple(states), created_after))
        names, state = (
            (self.active, "RUNNING") if "RUNNING" in states else (self.terminating, "TERMINATED")
        )
        for name in names:
            yield ClusterSummary(name, name, f"arn:{name}", state)


class FakeFolders(FakeLogObjects):
    """A bucket, its objects with their dates in S3's order; old versions behind the newest."""

    def __init__(self) -> None:
        super().__init__({})
        self.keys: dict[str, list[datetime]] = {}
        self.unlistable: dict[str, NotReadableError] = {}
        self.listed: list[Folder] = []

    def put(self, key: str, at: datetime, head: Encryption | None = None) -> None:
        self.keys.setdefault(key, []).insert(0, at)
        if head is not None:
            self.heads = {**self.heads, key: head}

    def below(self, bucket: str, prefix: str) -> tuple[str, ...]:
        self._listable(bucket)
        below = (key.removeprefix(prefix) for key in self.keys if key.startswith(prefix))
        return tuple(sorted({f"{prefix}{k.split('/')[0]}/" for k in below if "/" in k}))

    def within(
        self, folder: Folder, *, versions: bool, owner: str | None = None
    ) -> Iterator[ListedObject]:
        self.listed.append(folder)
        self.owners.add(owner)
        bucket = str(folder.bucket)
        self._listable(bucket)
        for key in sorted(self.keys):
            if key.startswith(folder.prefix) and key > folder.after:
                if folder.until and key > folder.until:
                    return
                for number, at in enumerate(self.keys[key] if versions else self.keys[key][:1]):
                    version_id = f"v{number}" if versions else None
                    yield ListedObject(ObjectVersion(bucket, key, version_id), at)

    def _listable(self, bucket: str) -> None:
        if bucket in self.unlistable:
            raise self.unlistable[bucket]


class FakeRescanResults:
    """The reports bucket. What is kept was JSON, as it is there."""

    def __init__(self) -> None:
        self.planned_by_kind: dict[ShardKind, tuple[Shard, ...]] = {}
        self.parts: dict[str, bytes] = {}
        self.last_notified: dict[str, list[Any]] = {}
        self.failures: list[ShardFailed] = []
        self.reports: list[RescanReport] = []
        self.dry_runs: list[ReencryptionPlan] = []
        self.history = b"{}"

    def plan(self, run: str, kind: ShardKind, shards: Iterable[Shard]) -> str:
        self.parts, self.last_notified, self.failures = {}, {}, []
        stored = msgspec.json.encode([*shards])
        self.planned_by_kind[kind] = msgspec.json.decode(stored, type=tuple[Shard, ...])
        return f"{run}/shards/{kind}"

    @property
    def shards(self) -> tuple[Shard, ...]:
        return tuple(each for kind in ShardKind for each in self.planned_by_kind.get(kind, ()))

    def planned(self, run: str) -> tuple[Shard, ...]:
        assert run
        return self.shards

    @contextmanager
    def lines(self, run: str, part: str) -> Iterator[Callable[[object], None]]:
        assert run
        yield self.last_notified.setdefault(part, []).append

    def done(self, run: str, part: str, done: ShardDone) -> None:
        assert run
        self.parts[part] = msgspec.json.encode(done)

    def failed(self, run: str, failed: ShardFailed) -> None:
        assert run
        self.failures.append(failed)

    def all_done(self, run: str) -> Iterator[ShardDone]:
        assert run
        for part in self.parts.values():
            yield msgspec.json.decode(part, type=ShardDone)

    def all_failed(self, run: str) -> Iterator[ShardFailed]:
        assert run
        yield from self.failures

    def place(self, run: str) -> str:
        return f"s3://reports/{run}/report.json"

    def report(self, report: RescanReport) -> None:
        self.reports.append(report)

    def write_plan(self, run: str, plan: ReencryptionPlan) -> None:
        assert run
        self.dry_runs.append(msgspec.json.decode(msgspec.json.encode(plan), type=ReencryptionPlan))

    def checkpoint(self) -> RescanCheckpoint:
        return msgspec.json.decode(self.history, type=RescanCheckpoint)

    def write_checkpoint(self, history: RescanCheckpoint) -> None:
        self.history = msgspec.json.encode(history)


class FakeExecutions:
    def __init__(self) -> None:
        self.going: set[str] = set()

    def running(self, execution: str) -> bool:
        return execution in self.going


class FakePolicyVersions:
    """A policy's parameter, with its versions."""

    name = "/emr-log-guard/test/policy"

    def __init__(self, *versions: StoredPolicy) -> None:
        self.kept = versions

    def versions(self) -> tuple[StoredPolicy, ...]:
        return self.kept


class FakeAlerts:
    def __init__(self, journal: Journal | None = None) -> None:
        self.published: list[Alert] = []
        self.rescans: list[RescanReport] = []
        self.policy_problems: list[PolicyProblem] = []
        self.policy_changes: list[PolicyChange] = []
        self.journal: Journal = [] if journal is None else journal
        self.failure: Exception | None = None

    def policy_invalid(self, problem: PolicyProblem) -> None:
        self.journal.append("policy invalid")
        if self.failure:
            raise self.failure
        self.policy_problems.append(problem)

    def policy_changed(self, change: PolicyChange) -> None:
        self.policy_changes.append(change)

    def rescan_done(self, report: RescanReport) -> None:
        self.journal.append("rescan done")
        self.rescans.append(report)

    def publish(self, alert: Alert) -> None:
        self.journal.append(f"publish {alert.kind}")
        if self.failure:
            raise self.failure
        self.published.append(alert)


class FakeQueue:
    def __init__(self, journal: Journal | None = None) -> None:
        self.sent: list[RequestEnforcement] = []
        self.journal: Journal = [] if journal is None else journal

    def send(self, request: RequestEnforcement, delay_seconds: int = 0) -> None:
        self.journal.append(f"send in {delay_seconds} s" if delay_seconds else "send")
        self.sent.append(request)


class FakeRechecks:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.since: datetime | None = None

    def request(self, cluster_ids: Iterable[str], since: datetime | None = None) -> None:
        self.asked += cluster_ids
        self.since = since


class FakeSchedules:
    def __init__(self, journal: Journal | None = None) -> None:
        self.existing: dict[str, ScheduleEnforcement] = {}
        self.journal: Journal = [] if journal is None else journal

    def put(self, schedule: ScheduleEnforcement) -> None:
        self.journal.append("schedule")
        self.existing[schedule.request.cluster_arn] = schedule

    def delete(self, cluster_arn: str) -> None:
        self.journal.append("cancel")
        self.existing.pop(cluster_arn, None)


class FakeSuppressions:
    """Security Hub with some suppressed findings."""

    def __init__(self, answer: frozenset[str] | Unresolved) -> None:
        self.answer = answer
        self.asked: list[tuple[str, ...]] = []

    def suppressed(self, finding_ids: Collection[str]) -> frozenset[str] | Unresolved:
        self.asked.append(tuple(finding_ids))
        return self.answer


class FakeChat:
    """Takes what is posted, but where a webhook's secret has an error."""

    def __init__(self, errors: Mapping[str, GuardError] | None = None) -> None:
        self.errors = errors or {}
        self.posts: list[tuple[str, PublishedAlert]] = []

    def post(self, secret_arn: str, notice: PublishedAlert) -> None:
        if secret_arn in self.errors:
            raise self.errors[secret_arn]
        self.posts.append((secret_arn, notice))


NOT_FOUND = ObjectNotFoundError("no such object")
