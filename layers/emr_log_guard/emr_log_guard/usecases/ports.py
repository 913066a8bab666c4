"""Interfaces of the use cases to the outside."""

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
        PartlyListed,
        Session,
        Step,
    )
    from emr_log_guard.domain.decide import Alert, RequestEnforcement, ScheduleEnforcement
    from emr_log_guard.domain.decisions import Decision
    from emr_log_guard.domain.finding_record import ClusterHistory, ClusterSnapshot, FindingRecord
    from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
    from emr_log_guard.domain.keys import KeyFact, KmsKey
    from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
    from emr_log_guard.domain.policy import Policy, PolicyChange, PolicyProblem
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
    """Reads steps that may have written a log object."""

    def log_writers(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        """Read a cluster's steps with their own log settings, however old they are."""
        ...


class ListedClusters(Protocol):
    """Lists and reads clusters, and reports what cannot be read."""

    def summaries(self, states: Sequence[str]) -> Iterator[ClusterSummary]:
        """List the clusters in these states, or raise NotReadableError."""
        ...

    def read(self, cluster_id: str) -> Cluster | Unresolved:
        """Read a cluster, or raise ClusterNotFoundError."""
        ...


class Sessions(Protocol):
    """Reads sessions."""

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        """Read a cluster's active sessions with their own log settings."""
        ...


class Workloads(Sessions, Protocol):
    """Reads the steps and sessions with log settings of their own."""

    def steps(self, cluster_id: str) -> tuple[Step, ...] | PartlyListed | Unresolved:
        """Read the steps, or those that are known where others cannot be read."""
        ...


class AllWorkloads(Sessions, Protocol):
    """Reads every step, or some of them, and sessions."""

    def all_steps(
        self, cluster_id: str, wanted: Sequence[str] = ()
    ) -> tuple[Step, ...] | Unresolved:
        """Read the steps of a cluster: of very many the newest, the active and the wanted ones."""
        ...

    def named_steps(
        self, cluster_id: str, step_ids: Sequence[str]
    ) -> tuple[Step, ...] | Unresolved:
        """Read steps by their ids."""
        ...

    def new_steps(
        self, cluster_id: str, wanted: Sequence[str], known: Collection[str]
    ) -> tuple[Step, ...] | Unresolved:
        """Read the steps that are newer than the known ones, and other wanted ones by their ids."""
        ...


class FirstReads(Clusters, AllWorkloads, Protocol):
    """Reads of a cluster that happen once in its life."""


class TerminableClusters(Clusters, Protocol):
    """Reads and terminates clusters."""

    def set_termination_protection(self, cluster_id: str, *, protected: bool) -> None:
        """Lift or restore the protection, or raise TerminationRefusedError."""
        ...

    def terminate(self, cluster_id: str) -> None:
        """Start the termination, or raise ClusterNotFoundError or TerminationRefusedError."""
        ...


class Keys(Protocol):
    """Reads keys."""

    def describe(self, identifier: str) -> KeyFact:
        """Read a key by any of its identifiers."""
        ...

    def policy(self, key_arn: str) -> Mapping[str, object] | Unresolved:
        """Read a key's policy document."""
        ...

    def rotation(self, key: KmsKey) -> bool | Unresolved:
        """Return whether KMS rotates a key automatically."""
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
        """Simulate a role's own policies for an action on a resource."""
        ...


class BucketOwners(Protocol):
    """Determines the owners of buckets."""

    def ownership(self, bucket: str, accounts: tuple[str, ...]) -> BucketOwnership | Unresolved:
        """Return which of these accounts owns a bucket, and its Region."""
        ...


class Buckets(BucketOwners, Protocol):
    """Reads buckets."""

    def sends_events(self, bucket: str) -> bool | Unresolved | None:
        """Return whether a bucket sends events to EventBridge; None when it does not exist."""
        ...


class LogObjects(Protocol):
    """Reads log objects."""

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Read an object's encryption, or raise ObjectNotFoundError."""
        ...


class ReencryptableLogObjects(LogObjects, Protocol):
    """Reads and re-encrypts log objects."""

    def reencrypt(
        self, version: ObjectVersion, key_arn: str, owner: str, *, bucket_key: bool
    ) -> None:
        """Re-encrypt an object in place.

        Or raise ObjectNotFoundError, ReencryptionRefusedError or TemporarilyUnavailableError.
        """
        ...


class ReencryptionQueue(Protocol):
    """Requests the re-encryption of log objects."""

    def send(self, versions: Iterable[ObjectVersion], delay_seconds: int = 0) -> None:
        """Send a request for each, delivered after a delay of at most 900 seconds."""
        ...


class ReencryptionBudget(Protocol):
    """Counts the log objects that are re-encrypted in an hour of the clock."""

    def take(self, wanted: int, most: int, now: datetime) -> int:
        """Return how many of the wanted ones may be re-encrypted in this hour."""
        ...


class ListedLogObjects(LogObjects, Protocol):
    """Lists log objects and reads them."""

    def below(
        self, bucket: str, prefix: str, since: datetime | None, owner: str | None = None
    ) -> Iterator[ObjectVersion]:
        """List the objects below a prefix, or raise NotReadableError."""
        ...


class Alerts(Protocol):
    """Sends alerts."""

    def publish(self, alert: Alert) -> None:
        """Publish an alert."""
        ...


class PolicyAlerts(Protocol):
    """Sends alerts about the policy itself."""

    def policy_invalid(self, problem: PolicyProblem) -> None:
        """Alert on a problem of the stored policy."""
        ...


class PolicyChangeAlerts(Protocol):
    """Sends alerts about changes of the policy."""

    def policy_changed(self, change: PolicyChange) -> None:
        """Alert on a change of the stored policy."""
        ...


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """The policy document as it is stored."""

    text: str
    version: int
    stored_at: datetime | None = None
    """When that version was stored, UTC: versions restart at 1 when a parameter is deleted."""
    stored_by: str | None = None
    """The ARN of who stored it; None where only the document was read."""


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


class PolicyVersions(Protocol):
    """The versions of the stored policy."""

    name: str

    def versions(self) -> tuple[StoredPolicy, ...]:
        """Read all versions that are kept, the oldest first; empty when there is none."""
        ...


class PolicyHistory(Protocol):
    """Stores the last valid policy, and which problems were notified."""

    def keep(self, stored: StoredPolicy) -> None:
        """Store a valid document, unless a newer one is stored."""
        ...

    def last_valid(self) -> StoredPolicy | None:
        """Return the last valid document; None when there is none."""
        ...

    def once(self, problem: str, about: str = "policy") -> AbstractContextManager[bool]:
        """Return whether the caller has to notify of a problem.

        Only the last problem of each subject is stored. It counts as notified when the block ends
        without an error.
        """
        ...


class PolicyProvider(Protocol):
    """Returns the policy in effect."""

    def __call__(self, *, force_refresh: bool = False) -> Policy:
        """Return it, from the cache unless `force_refresh`."""
        ...


class Suppressions(Protocol):
    """Reads which findings are suppressed in Security Hub."""

    def suppressed(self, finding_ids: Collection[str]) -> frozenset[str] | Unresolved:
        """Return which of the findings are suppressed."""
        ...


class EnforcementQueue(Protocol):
    """Sends requests to `enforce`."""

    def send(self, request: RequestEnforcement, delay_seconds: int = 0) -> None:
        """Send a request, to be delivered after a delay of at most 900 seconds."""
        ...


class EnforcementSchedules(Protocol):
    """Schedules requests to `enforce`: one schedule per cluster."""

    def put(self, schedule: ScheduleEnforcement) -> None:
        """Schedule a request; it replaces an earlier schedule of the cluster."""
        ...

    def delete(self, cluster_arn: str) -> None:
        """Delete a cluster's schedule, if there is one."""
        ...


class FindingRepository(Protocol):
    """Stores clusters and their findings."""

    def read(self, cluster_id: str) -> ClusterHistory:
        """Read all records of a cluster."""
        ...

    def write(self, record: FindingRecord) -> FindingRecord:
        """Write a changed record, or raise WriteConflictError."""
        ...

    def write_termination(self, termination: Termination) -> Termination:
        """Write the state of a termination, or raise WriteConflictError."""
        ...

    def begin_first_read(self, cluster_id: str, now: datetime, until: datetime) -> bool:
        """Lease the first read of a cluster; return whether no other invocation has the lease."""
        ...

    def write_snapshot(self, known: ClusterSnapshot, before: ClusterSnapshot | None) -> None:
        """Write the snapshot of a cluster, or raise WriteConflictError."""
        ...

    def record(self, decision: Decision) -> None:
        """Record a decision."""
        ...


class ClusterHistories(Protocol):
    """Reads the stored records of clusters."""

    def read(self, cluster_id: str) -> ClusterHistory:
        """Read all records of a cluster."""
        ...


class ApprovedTargets(Protocol):
    """Stores the last resolved key of each approved identifier."""

    def read(self) -> Mapping[str, str]:
        """Read the keys' ARNs by the identifiers."""
        ...

    def write(self, identifier: str, arn: str) -> None:
        """Store the key of an identifier."""
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

    def indexed_records(self) -> Iterable[FindingRecord]:
        """Read every finding that is open, or of which a notification is pending or due later."""
        ...


class Rechecks(Protocol):
    """Asks for clusters to be checked again."""

    def request(self, cluster_ids: Iterable[str], since: datetime | None = None) -> None:
        """Ask for a check of each, because of what happened then."""
        ...


class LogObjectQueue(Protocol):
    """Requests re-checks of log objects."""

    def recheck(self, request: LogObjectCheckRequest) -> None:
        """Request a re-check of one of a cluster's bad objects."""
        ...


class Chat(Protocol):
    """Chat channels, each behind a webhook."""

    def post(self, secret_arn: str, published: PublishedAlert) -> None:
        """Post an alert, or raise AlertNotDeliveredError or InvalidWebhookError."""
        ...


class ChatTopic(Protocol):
    """The topic of a chat's own integration."""

    def publish(self, published: PublishedAlert) -> None:
        """Publish an alert."""
        ...


class Progress(Protocol):
    """Shows the progress of an audit; called from several threads."""

    def listed(self) -> None:
        """A cluster was found."""
        ...

    def evaluated(self) -> None:
        """A cluster was evaluated."""
        ...

    def checked_object(self) -> None:
        """A log object was read."""
        ...
