"""Check a key: have the clusters checked whose log keys an event may have changed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.keys import KeyNotFound, KmsKey, certain_arn, named_arn
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import KeyUnreadableError
from emr_log_guard.events.kms import (
    AliasCheckRequest,
    KeyCheckRequest,
    KeyEventCheckRequest,
    KeyStoreCheckRequest,
)
from emr_log_guard.observability import logger
from emr_log_guard.usecases.ports import ClustersByKey, Keys, Rechecks


@dataclass(frozen=True, slots=True)
class KeyChecked:
    """The result of a change of a key, an alias or a key store."""

    key: str
    clusters: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """Return the invocation's result."""
        return {"key": self.key, "clusters": list(self.clusters)}


@dataclass(frozen=True, slots=True)
class CheckKey:
    """Finds the clusters that an event may affect, and requests a check of each."""

    keys: Keys
    clusters: ClustersByKey
    rechecks: Rechecks
    policy: Callable[[], Policy]
    """Returns the policy in effect; only used for aliases."""

    def __call__(self, request: KeyEventCheckRequest) -> KeyChecked:
        """Request a check of each cluster that an event may affect.

        Raises:
            KeyUnreadableError: KMS did not resolve the key; to be retried.

        """
        match request:
            case KeyCheckRequest(key=key):
                changed = certain_arn(None, key) or self._arn(key)
                clusters = self.clusters.using_key(changed)
            case AliasCheckRequest(alias_arn=changed):
                clusters = self._by_alias(request)
            case KeyStoreCheckRequest(key_store=changed):
                clusters = self._in_key_store(changed)
            case _:
                assert_never(request)
        logger.info("key changed", key=changed, clusters=len(clusters))
        self.rechecks.request(clusters, request.at)
        return KeyChecked(changed, clusters)

    def _by_alias(self, request: AliasCheckRequest) -> tuple[str, ...]:
        """Return the clusters that were launched with an alias, or log with its key.

        No event has the previous target of an updated alias. So if the policy approves keys by the
        alias, or cannot be read, these are all clusters that log with a key.
        """
        policy = self.policy()
        if policy.version is None or _approves(policy, request.alias_arn):
            return _each_once(self.clusters.keys_in_use())
        names = (request.alias_arn, request.key) if request.key else (request.alias_arn,)
        return _each_once({name: self.clusters.using_key(name) for name in names})

    def _in_key_store(self, key_store: str) -> tuple[str, ...]:
        """Return the clusters whose log keys are in a key store, or may be.

        One DescribeKey for each key or alias that running clusters log with: CloudTrail names no
        keys of the store, and the store of a key is not recorded.
        """
        return _each_once(
            {
                name: clusters
                for name, clusters in self.clusters.keys_in_use().items()
                if self._may_be_in(key_store, name)
            }
        )

    def _may_be_in(self, key_store: str, name: str) -> bool:
        match self.keys.describe(name):
            case KmsKey(key_store=found):
                return found == key_store
            case Unresolved():
                return True
            case KeyNotFound():
                return False

    def _arn(self, identifier: str) -> str:
        """Resolve a key id or alias."""
        match self.keys.describe(identifier):
            case KmsKey(arn=arn):
                return arn
            case KeyNotFound():
                return identifier  # deleted: no cluster uses it
            case Unresolved(reason):
                raise KeyUnreadableError(reason)


def _approves(policy: Policy, alias_arn: str) -> bool:
    here = Arn.of(alias_arn)
    return any(named_arn(each, here) == alias_arn for each in policy.approved_keys)


def _each_once(found: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cluster for clusters in found.values() for cluster in clusters))
