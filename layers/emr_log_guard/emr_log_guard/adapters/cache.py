"""What an environment remembers between invocations, so that AWS is not asked twice.

What is remembered of keys and roles may be asked for by any number of threads: who asks while it
is being read waits for that one answer.
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
from emr_log_guard.domain.keys import KeyFact
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
"""How long a bucket is taken to send its events, or not to."""
STEPS_SECONDS = 60
"""How long a cluster's steps are taken for all that there are: a running cluster gets more."""
KEY_SECONDS = 60
"""How long a key or a role's rights are taken for what they were: both can change."""
CLUSTER_SECONDS = 300
"""How long a cluster is: its log settings never change, its tags and its state do."""
_SIZE = 1024


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How much is remembered, and for how long."""

    seconds: float = KEY_SECONDS
    records: float = _SIZE
    doubt: bool = False
    """Whether what could not be read stays so; otherwise it is asked again."""


WHOLE_RUN = CachePolicy(seconds=math.inf, records=math.inf, doubt=True)
"""For a command that reads everything once and ends."""

type Timer = Callable[[], float]
"""Seconds that only ever grow."""


class CachedClusters:
    """Clusters, each read at most once in CLUSTER_SECONDS.

    One that EMR does not know is not asked for again in KEY_SECONDS: a batch of another account's
    logs must not use up the account's few DescribeCluster calls.
    """

    def __init__(self, clusters: "Clusters", timer: Timer = monotonic) -> None:
        """Ask these clusters first."""
        self._clusters = clusters
        self._known: TTLCache[str, Cluster] = TTLCache(_SIZE, CLUSTER_SECONDS, timer)
        self._unknown: TTLCache[str, str] = TTLCache(_SIZE, KEY_SECONDS, timer)

    def describe(self, cluster_id: str) -> "Cluster":
        """Read a cluster, or remember it. State, protection and tags may be out of date.

        Raises:
            ClusterNotFoundError: EMR knows no such cluster here.

        """
        cluster = self._known.get(cluster_id)
        if cluster is not None:
            return cluster
        message = self._unknown.get(cluster_id)
        if message is not None:
            raise ClusterNotFoundError(message)
        try:
            cluster = self._known[cluster_id] = self._clusters.describe(cluster_id)
        except ClusterNotFoundError as error:
            self._unknown[cluster_id] = str(error)
            raise
        return cluster


class CachedKeys:
    """Keys, each read at most once in KEY_SECONDS unless a retention says otherwise."""

    def __init__(
        self, keys: "Keys", timer: Timer = monotonic, retention: CachePolicy = CachePolicy()
    ) -> None:
        """Ask these keys first."""
        self._keys = keys
        self._described = _Memory[str, KeyFact](timer, retention)
        self._policies = _Memory[str, Mapping[str, object] | Unresolved](timer, retention)
        self._rotations = _Memory[str, bool | Unresolved](timer, retention)

    def describe(self, identifier: str) -> KeyFact:
        """Read a key, or remember it."""
        return self._described.get(identifier, lambda: self._keys.describe(identifier))

    def policy(self, key: "KmsKey") -> Mapping[str, object] | Unresolved:
        """Read a key's policy, or remember it."""
        return self._policies.get(key.arn, lambda: self._keys.policy(key))

    def rotation(self, key: "KmsKey") -> bool | Unresolved:
        """Ask whether KMS rotates a key by itself, or remember it."""
        return self._rotations.get(key.arn, lambda: self._keys.rotation(key))


class CachedSteps:
    """Clusters' steps, listed at most once in STEPS_SECONDS, whether or not they can be listed.

    A batch of log objects must not use up the account's few ListSteps calls.
    """

    def __init__(
        self,
        steps: "Steps",
        timer: Timer = monotonic,
        retention: CachePolicy = CachePolicy(STEPS_SECONDS, doubt=True),
    ) -> None:
        """Ask these steps first."""
        self._steps = steps
        self._known = _Memory[str, tuple[Step, ...] | Unresolved](timer, retention)

    def steps(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        """List a cluster's steps with log settings of their own, or remember them."""
        return self._known.get(cluster_id, lambda: self._steps.steps(cluster_id))


class CachedHistories:
    """What is known of clusters, read at most once in KEY_SECONDS: a folder has many logs."""

    def __init__(self, histories: "ClusterHistories", timer: Timer = monotonic) -> None:
        """Ask these histories first."""
        self._histories = histories
        self._known = _Memory[str, "ClusterHistory"](timer, CachePolicy())

    def read(self, cluster_id: str) -> "ClusterHistory":
        """Read what is known of a cluster, or remember it."""
        return self._known.get(cluster_id, lambda: self._histories.read(cluster_id))


class CachedBuckets:
    """Buckets, each asked at most once in BUCKET_SECONDS; what could not be read is asked again."""

    def __init__(
        self,
        buckets: "Buckets",
        timer: Timer = monotonic,
        retention: CachePolicy = CachePolicy(BUCKET_SECONDS),
    ) -> None:
        """Ask these buckets first."""
        self._buckets = buckets
        self._sending = _Memory[str, bool | Unresolved](timer, retention)
        self._owned = _Memory[tuple[str, tuple[str, ...]], BucketOwnership | Unresolved](
            timer, retention
        )

    def sends_events(self, bucket: str) -> bool | Unresolved:
        """Ask whether a bucket sends its events to EventBridge, or remember it."""
        return self._sending.get(bucket, lambda: self._buckets.sends_events(bucket))

    def ownership(self, bucket: str, accounts: tuple[str, ...]) -> BucketOwnership | Unresolved:
        """Ask which of some accounts owns a bucket, or remember it."""
        return self._owned.get(
            (bucket, accounts), lambda: self._buckets.ownership(bucket, accounts)
        )


class CachedRoles:
    """Roles, each asked at most once in KEY_SECONDS unless a retention says otherwise."""

    def __init__(
        self, roles: "Roles", timer: Timer = monotonic, retention: CachePolicy = CachePolicy()
    ) -> None:
        """Ask these roles first."""
        self._roles = roles
        self._arns = _Memory[str, str | Unresolved](timer, retention)
        self._profiles = _Memory[str, str | Unresolved](timer, retention)
        self._rights = _Memory[
            tuple[str, str, str], IdentityDecision | UndeterminedDecision | Unresolved
        ](timer, retention)

    def role_arn(self, role: str) -> str | Unresolved:
        """Find a role's ARN, or remember it."""
        return self._arns.get(role, lambda: self._roles.role_arn(role))

    def instance_profile_role_arn(self, profile: str) -> str | Unresolved:
        """Find the role in an instance profile, or remember it."""
        return self._profiles.get(profile, lambda: self._roles.instance_profile_role_arn(profile))

    def simulate(
        self, role_arn: str, action: str, resource: str
    ) -> IdentityDecision | UndeterminedDecision | Unresolved:
        """Ask what a role's own policies say, or remember it."""
        return self._rights.get(
            (role_arn, action, resource),
            lambda: self._roles.simulate(role_arn, action, resource),
        )


class _Memory[K, V]:
    """Facts by what they are about."""

    def __init__(self, timer: Timer, retention: CachePolicy) -> None:
        self._known: TTLCache[K, V] = TTLCache(retention.records, retention.seconds, timer)
        self._doubt = retention.doubt
        self._lock = Lock()
        self._reading: dict[K, Lock] = {}

    def get(self, key: K, read: Callable[[], V]) -> V:
        """Remember a fact, or read it; nobody else reads the same one meanwhile."""
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
                    if self._doubt or not isinstance(fact, Unresolved):
                        self._known[key] = fact
            finally:
                with self._lock:
                    self._reading.pop(key, None)
        return fact
