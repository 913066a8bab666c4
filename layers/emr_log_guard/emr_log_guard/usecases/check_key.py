"""Check a key: have the clusters checked that log with it."""

from dataclasses import dataclass

from emr_log_guard.domain.keys import KeyNotFound, KmsKey, is_key_arn
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import KeyUnreadableError
from emr_log_guard.events.kms import KeyHint
from emr_log_guard.observability import logger
from emr_log_guard.usecases.ports import ClustersByKey, Keys, Rechecks


@dataclass(frozen=True, slots=True)
class KeyChecked:
    """What came of a change of a key."""

    key: str
    clusters: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """Say it in JSON, for the invocation's result."""
        return {"key": self.key, "clusters": list(self.clusters)}


@dataclass(frozen=True, slots=True)
class CheckKey:
    """Knows by the ledger which clusters log with a key; each is then checked by itself."""

    keys: Keys
    clusters: ClustersByKey
    rechecks: Rechecks

    def __call__(self, hint: KeyHint) -> KeyChecked:
        """Ask for a check of each cluster that logs with a key.

        Raises:
            KeyUnreadableError: KMS did not say which key is meant; to be tried again.

        """
        arn = hint.key if is_key_arn(hint.key) else self._arn(hint.key)
        clusters = self.clusters.using_key(arn)
        logger.info("key changed", key=arn, clusters=len(clusters))
        self.rechecks.request(clusters, hint.at)
        return KeyChecked(arn, clusters)

    def _arn(self, identifier: str) -> str:
        """Resolve a key's id or alias."""
        match self.keys.describe(identifier):
            case KmsKey(arn=arn):
                return arn
            case KeyNotFound():
                return identifier  # gone for good: no cluster goes by it
            case Unresolved(reason):
                raise KeyUnreadableError(reason)
