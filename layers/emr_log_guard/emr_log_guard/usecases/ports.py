"""What the use cases need of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from emr_log_guard.domain.clusters import (
        BucketOwnership,
        Cluster,
        ClusterSummary,
        Session,
        Step,
    )
    from emr_log_guard.domain.decide import Alert, RequestEnforcement, ScheduleEnforcement
    from emr_log_guard.domain.decisions import Decision
    from emr_log_guard.domain.finding_record import ClusterHistory, ClusterSnapshot, FindingRecord
    from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
    from emr_log_guard.domain.keys import KeyFact, KmsKey
    from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
    from emr_log_guard.domain.policy import Policy, PolicyProblem
    from emr_log_guard.domain.published_alert import PublishedAlert
    from emr_log_guard.domain.termination import Termination
    from emr_log_guard.domain.unresolved import Unresolved
    from emr_log_guard.events.log_objects import LogObjectCheckRequest


class Clusters(Protocol):
    """Reads clusters."""

    def describe(self, cluster_id: str) -> Cluster:
        """Read a cluster, or raise ClusterNotFoundError."""
        ...


class Steps(Protocol):
    """Reads steps."""

    def steps(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        """Read a cluster's steps that have log settings of their own."""
        ...


class ListedClusters(Protocol):
    """Lists clusters and reads them, and tells what cannot be read."""

    def summaries(self, states: Sequence[str]) -> Iterator[ClusterSummary]:
        """List the clusters in these states, or raise NotReadableError."""
        ...

    def read(self, cluster_id: str) -> Cluster | Unresolved:
        """Read a cluster, or raise ClusterNotFoundError."""
        ...


class Workloads(Steps, Protocol):
    """Reads steps and sessions."""

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        """Read a cluster's active sessions that have log settings of their own."""
        ...


class TerminableClusters(Clusters, Protocol):
    """Reads clusters, and ends them."""

    def set_termination_protection(self, cluster_id: str, *, protected: bool) -> None:
        """Lift or restore the protection, or raise TerminationRefusedError."""
        ...

    def terminate(self, cluster_id: str) -> None:
        """Begin the termination, or raise ClusterNotFoundError or TerminationRefusedError."""
        ...


class Keys(Protocol):
    """Reads keys."""

    def describe(self, identifier: str) -> KeyFact:
        """Read a key by any of its identifiers."""
        ...

    def policy(self, key: KmsKey) -> Mapping[str, object] | Unresolved:
        """Read a key's policy document."""
        ...

    def rotation(self, key: KmsKey) -> bool | Unresolved:
        """Ask whether KMS rotates a key by itself."""
        ...


class Roles(Protocol):
    """Reads roles."""

    def role_arn(self, role: str) -> str | Unresolved:
        """Find a role's ARN from its name or ARN."""
        ...

    def instance_profile_role_arn(self, profile: str) -> str | Unresolved:
        """Find the ARN of the role in an instance profile."""
        ...

    def simulate(
        self, role_arn: str, action: str, resource: str
    ) -> IdentityDecision | UndeterminedDecision | Unresolved:
        """Ask what a role's own policies say of an action on a resource."""
        ...


class BucketOwners(Protocol):
    """Knows whose buckets are."""

    def ownership(self, bucket: str, accounts: tuple[str, ...]) -> BucketOwnership | Unresolved:
        """Ask which of these accounts owns a bucket, and where it is."""
        ...


class Buckets(BucketOwners, Protocol):
    """Reads buckets."""

    def sends_events(self, bucket: str) -> bool | Unresolved:
        """Ask whether a bucket sends its events to EventBridge."""
        ...


class LogObjects(Protocol):
    """Reads log objects."""

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Read an object's encryption, or raise ObjectNotFoundError."""
        ...


class ListedLogObjects(LogObjects, Protocol):
    """Lists log objects and reads them."""

    def below(
        self, bucket: str, prefix: str, since: datetime | None, owner: str | None = None
    ) -> Iterator[ObjectVersion]:
        """List the objects below a prefix, or raise NotReadableError."""
        ...


class Alerts(Protocol):
    """Tells people."""

    def publish(self, alert: Alert) -> None:
        """Publish an alert."""
        ...


class PolicyAlerts(Protocol):
    """Tells people about the policy itself."""

    def policy_invalid(self, problem: PolicyProblem) -> None:
        """Say what is wrong with the stored policy."""
        ...


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """The policy document as it is stored."""

    text: str
    version: int
    stored_at: datetime | None = None
    """When that version was stored, UTC: a parameter that is deleted counts from 1 again."""


@dataclass(frozen=True, slots=True)
class UnreadablePolicy:
    """Why the stored policy could not be read."""

    reason: str
    transient: bool
    """Whether another attempt may work."""


class PolicyParameter(Protocol):
    """Where the policy is stored."""

    name: str

    def read(self) -> StoredPolicy | UnreadablePolicy:
        """Read the document."""
        ...


class PolicyHistory(Protocol):
    """Remembers the last valid policy, and which problems people were notified of."""

    def keep(self, stored: StoredPolicy) -> None:
        """Keep a valid document, unless one that was stored later is kept."""
        ...

    def last_valid(self) -> StoredPolicy | None:
        """Give the last valid document; None when there never was one."""
        ...

    def once(self, problem: str, about: str = "policy") -> AbstractContextManager[bool]:
        """Say whether the caller is the one to notify of a problem.

        Of what it is about, only the last problem is remembered.

        What the block does counts as notified when it ends, and not when it raises.
        """
        ...


class PolicyInForce(Protocol):
    """Gives the policy in force."""

    def __call__(self, *, force_refresh: bool = False) -> Policy:
        """Give it: as it was a moment ago, or as it is now."""
        ...


class Suppressions(Protocol):
    """Knows what people suppressed in Security Hub."""

    def suppressed(self, finding_ids: Collection[str]) -> frozenset[str] | Unresolved:
        """Say which of the findings are suppressed."""
        ...


class EnforcementQueue(Protocol):
    """Hands clusters to `enforce`."""

    def send(self, request: RequestEnforcement, delay_seconds: int = 0) -> None:
        """Send a request, to be delivered after a delay of at most 900 seconds."""
        ...


class EnforcementSchedules(Protocol):
    """Hands clusters to `enforce` when their time is over: one schedule a cluster."""

    def put(self, schedule: ScheduleEnforcement) -> None:
        """Schedule a request, instead of what was scheduled for the cluster before."""
        ...

    def delete(self, cluster_arn: str) -> None:
        """Delete a cluster's schedule, if there is one."""
        ...


class FindingRepository(Protocol):
    """What is remembered of clusters and their findings."""

    def read(self, cluster_id: str) -> ClusterHistory:
        """Read all that is remembered of a cluster."""
        ...

    def write(self, record: FindingRecord) -> FindingRecord:
        """Write an entry as it was read and changed, or raise WriteConflictError."""
        ...

    def write_termination(self, termination: Termination) -> Termination:
        """Write where a termination stands, or raise WriteConflictError."""
        ...

    def remember(self, known: ClusterSnapshot, before: ClusterSnapshot | None) -> None:
        """Write what is known of a cluster now, or raise WriteConflictError."""
        ...

    def record(self, decision: Decision) -> None:
        """Write a decision down."""
        ...


class ClusterHistories(Protocol):
    """Knows what the guard learnt of clusters earlier."""

    def read(self, cluster_id: str) -> ClusterHistory:
        """Read all that is remembered of a cluster."""
        ...


class ApprovedTargets(Protocol):
    """Remembers which key each identifier in the list of approved keys last stood for."""

    def recall(self) -> Mapping[str, str]:
        """Read the keys' ARNs by the identifiers."""
        ...

    def remember(self, identifier: str, arn: str) -> None:
        """Write down what an identifier stands for now."""
        ...


class ClustersByKey(Protocol):
    """Finds clusters by the keys that their logs use."""

    def using_key(self, key_arn: str) -> tuple[str, ...]:
        """Name the clusters whose logs use a key, or an alias, and that have not ended."""
        ...

    def keys_in_use(self) -> Mapping[str, tuple[str, ...]]:
        """Name all keys and aliases that logs use, each with its clusters that have not ended."""
        ...


class OpenFindings(Protocol):
    """Finds what is open."""

    def open_records(self) -> Iterable[FindingRecord]:
        """Read every open finding, by cluster."""
        ...

    def indexed_entries(self) -> Iterable[FindingRecord]:
        """Read every finding that is open, or of which a notification is pending."""
        ...


class Rechecks(Protocol):
    """Asks for clusters to be checked again."""

    def request(self, cluster_ids: Iterable[str], since: datetime | None = None) -> None:
        """Ask for a check of each, because of what happened then."""
        ...


class LogObjectQueue(Protocol):
    """Has log objects looked at again."""

    def recheck(self, request: LogObjectCheckRequest) -> None:
        """Ask for a look at one of a cluster's known bad objects."""
        ...


class Chat(Protocol):
    """Chat channels, each behind a webhook."""

    def post(self, secret_arn: str, published: PublishedAlert) -> None:
        """Post an alert, or raise AlertNotDeliveredError or InvalidWebhookError."""
        ...


class ChatTopic(Protocol):
    """Where a chat's own integration listens."""

    def publish(self, published: PublishedAlert) -> None:
        """Publish an alert."""
        ...


class Progress(Protocol):
    """Shows how far an audit is; it may be told by several threads at once."""

    def listed(self) -> None:
        """Say that a cluster was found."""
        ...

    def evaluated(self) -> None:
        """Say that a cluster was evaluated."""
        ...

    def checked_object(self) -> None:
        """Say that a log object was read."""
        ...
