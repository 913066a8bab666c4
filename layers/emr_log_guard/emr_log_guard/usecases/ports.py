"""What the use cases need of the world."""

from collections.abc import Mapping
from typing import Protocol

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.decide import Alert, RequestEnforcement
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.keys import KeyFact, KmsKey
from emr_log_guard.domain.ledger import Entry, Memory
from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
from emr_log_guard.domain.unresolved import Unresolved


class Clusters(Protocol):
    """Reads clusters."""

    def describe(self, cluster_id: str) -> Cluster:
        """Read a cluster, or raise ClusterNotFoundError."""
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


class Roles(Protocol):
    """Reads roles."""

    def role_arn(self, role: str) -> str | Unresolved:
        """Find a role's ARN from its name or ARN."""
        ...

    def instance_profile_role_arn(self, profile: str) -> str | Unresolved:
        """Find the ARN of the role in an instance profile."""
        ...

    def simulate(self, role_arn: str, action: str, resource: str) -> IdentityDecision | Unresolved:
        """Ask what a role's own policies say of an action on a resource."""
        ...


class LogObjects(Protocol):
    """Reads log objects."""

    def encryption(self, version: ObjectVersion) -> Encryption | Unresolved:
        """Read an object's encryption, or raise ObjectNotFoundError."""
        ...


class Ledger(Protocol):
    """Remembers findings, and what cannot change of clusters."""

    def read(self, cluster_id: str) -> Memory:
        """Read all that is remembered of a cluster."""
        ...

    def write(self, entry: Entry) -> Entry:
        """Write an entry that was read at its version, or raise LedgerConflictError.

        Returns:
            The entry at its new version.

        """
        ...

    def remember(self, cluster: Cluster) -> None:
        """Remember a cluster's settings as they are now."""
        ...


class Alerts(Protocol):
    """Tells people."""

    def publish(self, alert: Alert) -> None:
        """Publish an alert."""
        ...


class EnforcementQueue(Protocol):
    """Hands clusters to `enforce`."""

    def send(self, request: RequestEnforcement) -> None:
        """Send a request."""
        ...


class Chat(Protocol):
    """A chat channel."""

    def post(self, text: str) -> None:
        """Post a text, or raise AlertNotDeliveredError."""
        ...
