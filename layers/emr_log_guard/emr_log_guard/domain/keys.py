"""AWS KMS keys, as kms:DescribeKey tells of them."""

from dataclasses import dataclass, replace
from enum import StrEnum

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.unresolved import Unresolved


class KeyManager(StrEnum):
    """Who manages a key: only a customer-managed one can encrypt EMR's logs."""

    AWS = "AWS"
    CUSTOMER = "CUSTOMER"


class KeyState(StrEnum):
    """Every state of a key.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
    """

    CREATING = "Creating"
    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"
    PENDING_IMPORT = "PendingImport"
    PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
    UNAVAILABLE = "Unavailable"
    UPDATING = "Updating"


TRANSIENT_STATES = frozenset({KeyState.CREATING, KeyState.UPDATING, KeyState.UNAVAILABLE})
"""States that pass by themselves, or with a custom key store's connection; the others are proven.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""


@dataclass(frozen=True, slots=True)
class KmsKey:
    """A key that exists.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html
    """

    arn: str
    manager: KeyManager
    state: KeyState
    spec: str
    usage: str
    origin: str | None = None
    """Where its key material is from, `AWS_KMS` for KMS itself; None when KMS does not say."""
    key_store: str | None = None
    """The id of the custom key store that it is in; None for a key of KMS's own."""

    @property
    def account(self) -> str:
        """The account that owns the key, twelve digits."""
        return Arn.of(self.arn).account

    @property
    def region(self) -> str:
        """The Region that the key lives in."""
        return Arn.of(self.arn).region


@dataclass(frozen=True, slots=True)
class KeyNotFound:
    """KMS answered that no key goes by this identifier, which proves nothing until it has lasted.

    A key or alias may be unknown for some minutes after it was made.
    https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
    """

    identifier: str
    reason: str


type KeyFact = KmsKey | KeyNotFound | Unresolved
"""What could be learnt of a key that something names."""


def is_key_arn(identifier: str) -> bool:
    """Say whether an identifier is a key's ARN, which names it for good: an alias can be moved."""
    arn = Arn.parse(identifier)
    return arn is not None and arn.service == "kms" and arn.resource.startswith("key/")


def named_arn(identifier: str, beside: Arn) -> str:
    """Write a key id or an alias name as the ARN that it stands for; an ARN stands for itself.

    Args:
        identifier: Any identifier of a key.
        beside: An ARN of the account and Region in which the identifier is resolved.

    https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id
    """
    if Arn.parse(identifier) is not None:
        return identifier
    resource = identifier if identifier.startswith("alias/") else f"key/{identifier}"
    return str(replace(beside, service="kms", resource=resource))


@dataclass(frozen=True, slots=True)
class ApprovedKey:
    """A key that the policy approves: as security typed it, and the ARN that it stands for now."""

    identifier: str
    arn: str | KeyNotFound | Unresolved
