"""Caches between invocations.

The caches are thread-safe: concurrent reads of the same fact wait for one call.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from cachetools import TTLCache

from emr_log_guard.domain.clusters import BucketOwnership, Step
from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
from emr_log_guard.domain.keys import KeyFact, KeyNotFound
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import ClusterNotFoundError

if TYPE_CHECKING:
    from emr_log_guard.domain.clusters import Cluster
    from emr_log_guard.domain.finding_record import ClusterHistory
    from emr_log_guard.domain.keys import KmsKey
    from emr_log_guard.usecases.ports import (
        Buckets,
        ClusterHistories,
        Clusters,
        Keys,
        Roles,
        Steps,
    )

BUCKET_SECONDS = 300
"""How long it is cached whether a bucket sends events, and who owns it."""
STEPS_SECONDS = 60
"""How long a cluster's steps are cached: a running cluster gets more."""
KEY_SECONDS = 60
"""How long keys and the permissions of roles are cached: both can change."""
CLUSTER_SECONDS = 300
"""How long clusters are cached: log settings never change, tags and state do."""
_SIZE = 1024


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How much is cached, and for how long."""

    seconds: float = KEY_SECONDS
    records: float = _SIZE
    unresolved: bool = False
    """Whether facts that could not be read are cached; otherwise they are read again."""
    missing_keys: bool = False
    """Whether it is cached that a key does not exist; otherwise one that has just been created is
    seen at the next read."""


WHOLE_RUN = CachePolicy(seconds=math.inf, records=math.inf, unresolved=True, missing_keys=True)
"""For a command that reads everything once and ends."""

type Timer = Callable[[], float]
"""A monotonic clock, in seconds."""


class CachedClusters:
    """Clusters, each read at most once in CLUSTER_SECONDS.

    Unknown clusters are cached for KEY_SECONDS: a batch of another account's logs must not use up
    the quota of DescribeCluster.
    """

    def __init__(self, clusters: "Clusters", timer: Timer = monotonic) -> None:
        """Read through to these clusters."""
        self._clusters = clusters
        self._known = _Cache[str, "Cluster"](timer, CachePolicy(CLUSTER_SECONDS))
        self._unknown: TTLCache[str, str] = TTLCache(_SIZE, KEY_SECONDS, timer)
        self._lock = Lock()

    def describe(self, cluster_id: str) -> "Cluster":
        """Read a cluster. State, protection and tags may be outdated.

        Raises:
            ClusterNotFoundError: EMR knows no such cluster here.

        """
        return self._known.get(cluster_id, lambda: self._described(cluster_id))

    def _described(self, cluster_id: str) -> "Cluster":
        with self._lock:
            message = self._unknown.get(cluster_id)
        if message is not None:
            raise ClusterNotFoundError(message)
        try:
            return self._clusters.describe(cluster_id)
        except ClusterNotFoundError as error:
            with self._lock:
                self._unknown[cluster_id] = str(error)
            raise


class CachedKeys:
    """Keys, each read at most once in KEY_SECONDS by default."""

    def __init__(
        self, keys: "Keys", timer: Timer = monotonic, retention: CachePolicy = CachePolicy()
    ) -> None:
        """Read through to these keys."""
        self._keys = keys
        self._described = _Cache[str, KeyFact](timer, retention)
        self._policies = _Cache[str, Mapping[str, object] | Unresolved](timer, retention)
        self._rotations = _Cache[str, bool | Unresolved](timer, retention)

    def describe(self, identifier: str) -> KeyFact:
        """Read a key."""
        return self._described.get(identifier, lambda: self._keys.describe(identifier))

    def policy(self, key_arn: str) -> Mapping[str, object] | Unresolved:
        """Read a key's policy."""
        return self._policies.get(key_arn, lambda: self._keys.policy(key_arn))

    def rotation(self, key: "KmsKey") -> bool | Unresolved:
        """Return whether KMS rotates a key automatically."""
        return self._rotations.get(key.arn, lambda: self._keys.rotation(key))


class CachedSteps:
    """Clusters' steps, listed at most once in STEPS_SECONDS, whether or not they can be listed.

    A batch of log objects must not use up the quota of ListSteps.
    """

    def __init__(
        self,
        steps: "Steps",
        timer: Timer = monotonic,
        retention: CachePolicy = CachePolicy(STEPS_SECONDS, unresolved=True),
    ) -> None:
        """Read through to these steps."""
        self._steps = steps
        self._known = _Cache[str, tuple[Step, ...] | Unresolved](timer, retention)

    def log_writers(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        """List a cluster's steps with their own log settings."""
        return self._known.get(cluster_id, lambda: self._steps.log_writers(cluster_id))


class CachedHistories:
    """Stored records of clusters, read at most once in KEY_SECONDS: a folder has many logs."""

    def __init__(self, histories: "ClusterHistories", timer: Timer = monotonic) -> None:
        """Read through to these records."""
        self._histories = histories
        self._known = _Cache[str, "ClusterHistory"](timer, CachePolicy())

    def read(self, cluster_id: str) -> "ClusterHistory":
        """Read the records of a cluster."""
        return self._known.get(cluster_id, lambda: self._histories.read(cluster_id))


class CachedBuckets:
    """Buckets, each read at most once in BUCKET_SECONDS; failed reads are retried."""

    def __init__(
        self,
        buckets: "Buckets",
        timer: Timer = monotonic,
        retention: CachePolicy = CachePolicy(BUCKET_SECONDS),
    ) -> None:
        """Read through to these buckets."""
        self._buckets = buckets
        self._sending = _Cache[str, bool | Unresolved | None](timer, retention)
        self._owned = _Cache[tuple[str, tuple[str, ...]], BucketOwnership | Unresolved](
            timer, retention
        )

    def sends_events(self, bucket: str) -> bool | Unresolved | None:
        """Return whether a bucket sends events to EventBridge; None when it does not exist."""
        return self._sending.get(bucket, lambda: self._buckets.sends_events(bucket))

    def ownership(self, bucket: str, accounts: tuple[str, ...]) -> BucketOwnership | Unresolved:
        """Return which of some accounts owns a bucket."""
        return self._owned.get(
            (bucket, accounts), lambda: self._buckets.ownership(bucket, accounts)
        )


class CachedRoles:
    """Roles, each read at most once in KEY_SECONDS by default."""

    def __init__(
        self, roles: "Roles", timer: Timer = monotonic, retention: CachePolicy = CachePolicy()
    ) -> None:
        """Read through to these roles."""
        self._roles = roles
        self._arns = _Cache[str, str | Unresolved](timer, retention)
        self._profiles = _Cache[str, str | Unresolved](timer, retention)
        self._rights = _Cache[
            tuple[str, str, str], IdentityDecision | UndeterminedDecision | Unresolved
        ](timer, retention)

    def role_arn(self, role: str) -> str | Unresolved:
        """Find a role's ARN."""
        return self._arns.get(role, lambda: self._roles.role_arn(role))

    def instance_profile_role_arn(self, profile: str) -> str | Unresolved:
        """Find the role in an instance profile."""
        return self._profiles.get(profile, lambda: self._roles.instance_profile_role_arn(profile))

    def simulate(
        self, role_arn: str, action: str, resource: str
    ) -> IdentityDecision | UndeterminedDecision | Unresolved:
        """Simulate a role's own policies."""
        return self._rights.get(
            (role_arn, action, resource),
            lambda: self._roles.simulate(role_arn, action, resource),
        )


class _Cache[K, V]:
    """Cached facts by their key."""

    def __init__(self, timer: Timer, retention: CachePolicy) -> None:
        self._known: TTLCache[K, V] = TTLCache(retention.records, retention.seconds, timer)
        self._retention = retention
        self._lock = Lock()
        self._reading: dict[K, Lock] = {}

    def get(self, key: K, read: Callable[[], V]) -> V:
        """Return a fact from the cache, or read it once for all threads."""
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                return found
            reading = self._reading.setdefault(key, Lock())
        with reading:
            with self._lock:
                found = self._known.get(key)
            if found is not None:
                return found
            try:
                fact = read()
                with self._lock:
                    if self._keeps(fact):
                        self._known[key] = fact
            finally:
                with self._lock:
                    self._reading.pop(key, None)
        return fact

    def _keeps(self, fact: V) -> bool:
        match fact:
            case Unresolved():
                return self._retention.unresolved
            case KeyNotFound():
                return self._retention.missing_keys
            case _:
                return True
