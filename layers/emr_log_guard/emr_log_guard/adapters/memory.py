"""What an environment remembers between invocations, so that AWS is not asked twice."""

from collections.abc import Callable, Mapping, MutableMapping
from time import monotonic
from typing import TYPE_CHECKING

from cachetools import TTLCache

from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import ClusterNotFoundError

if TYPE_CHECKING:
    from emr_log_guard.domain.clusters import Cluster, Step
    from emr_log_guard.domain.key_access import IdentityDecision
    from emr_log_guard.domain.keys import KeyFact, KmsKey
    from emr_log_guard.usecases.ports import Buckets, Clusters, Keys, Roles, Steps

BUCKET_SECONDS = 300
"""How long a bucket is taken to send its events, or not to."""
STEPS_SECONDS = 60
"""How long a cluster's steps are taken for all that there are: a running cluster gets more."""
KEY_SECONDS = 60
"""How long a key or a role's rights are taken for what they were: both can change."""
CLUSTER_SECONDS = 300
"""How long a cluster is: its log settings never change, its tags and its state do."""
_SIZE = 1024

type Timer = Callable[[], float]
"""Seconds that only ever grow."""


class RememberedClusters:
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


class RememberedKeys:
    """Keys, each read at most once in KEY_SECONDS; what could not be read is asked again."""

    def __init__(self, keys: "Keys", timer: Timer = monotonic) -> None:
        """Ask these keys first."""
        self._keys = keys
        self._described: TTLCache[str, KeyFact] = TTLCache(_SIZE, KEY_SECONDS, timer)
        self._policies: TTLCache[str, Mapping[str, object]] = TTLCache(_SIZE, KEY_SECONDS, timer)
        self._rotations: TTLCache[str, bool] = TTLCache(_SIZE, KEY_SECONDS, timer)

    def describe(self, identifier: str) -> "KeyFact":
        """Read a key, or remember it."""
        return _remember(self._described, identifier, lambda: self._keys.describe(identifier))

    def policy(self, key: "KmsKey") -> Mapping[str, object] | Unresolved:
        """Read a key's policy, or remember it."""
        return _remember(self._policies, key.arn, lambda: self._keys.policy(key))

    def rotation(self, key: "KmsKey") -> bool | Unresolved:
        """Ask whether KMS rotates a key by itself, or remember it."""
        return _remember(self._rotations, key.arn, lambda: self._keys.rotation(key))


class RememberedSteps:
    """Clusters' steps, listed at most once in STEPS_SECONDS, whether or not they can be listed.

    A batch of log objects must not use up the account's few ListSteps calls.
    """

    def __init__(self, steps: "Steps", timer: Timer = monotonic) -> None:
        """Ask these steps first."""
        self._steps = steps
        self._known: TTLCache[str, tuple[Step, ...] | Unresolved] = TTLCache(
            _SIZE, STEPS_SECONDS, timer
        )

    def steps(self, cluster_id: str) -> "tuple[Step, ...] | Unresolved":
        """List a cluster's steps with log settings of their own, or remember them."""
        found = self._known.get(cluster_id)
        if found is None:
            found = self._known[cluster_id] = self._steps.steps(cluster_id)
        return found


class RememberedBuckets:
    """Buckets, each asked at most once in BUCKET_SECONDS; what could not be read is asked again."""

    def __init__(self, buckets: "Buckets", timer: Timer = monotonic) -> None:
        """Ask these buckets first."""
        self._buckets = buckets
        self._sending: TTLCache[str, bool] = TTLCache(_SIZE, BUCKET_SECONDS, timer)

    def sends_events(self, bucket: str) -> bool | Unresolved:
        """Ask whether a bucket sends its events to EventBridge, or remember it."""
        return _remember(self._sending, bucket, lambda: self._buckets.sends_events(bucket))


class RememberedRoles:
    """Roles, each asked at most once in KEY_SECONDS; what could not be read is asked again."""

    def __init__(self, roles: "Roles", timer: Timer = monotonic) -> None:
        """Ask these roles first."""
        self._roles = roles
        self._arns: TTLCache[str, str] = TTLCache(_SIZE, KEY_SECONDS, timer)
        self._profiles: TTLCache[str, str] = TTLCache(_SIZE, KEY_SECONDS, timer)
        self._rights: TTLCache[tuple[str, str, str], IdentityDecision] = TTLCache(
            _SIZE, KEY_SECONDS, timer
        )

    def role_arn(self, role: str) -> str | Unresolved:
        """Find a role's ARN, or remember it."""
        return _remember(self._arns, role, lambda: self._roles.role_arn(role))

    def instance_profile_role_arn(self, profile: str) -> str | Unresolved:
        """Find the role in an instance profile, or remember it."""
        return _remember(
            self._profiles, profile, lambda: self._roles.instance_profile_role_arn(profile)
        )

    def simulate(
        self, role_arn: str, action: str, resource: str
    ) -> "IdentityDecision | Unresolved":
        """Ask what a role's own policies say, or remember it."""
        return _remember(
            self._rights,
            (role_arn, action, resource),
            lambda: self._roles.simulate(role_arn, action, resource),
        )


def _remember[K, V](
    known: MutableMapping[K, V], key: K, read: Callable[[], V | Unresolved]
) -> V | Unresolved:
    found = known.get(key)
    if found is not None:
        return found
    fact = read()
    if not isinstance(fact, Unresolved):
        known[key] = fact
    return fact
