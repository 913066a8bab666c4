"""AWS KMS keys, as kms:DescribeKey describes them."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

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
"""States that end by themselves, or when a custom key store is connected.

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
    """KMS answered that there is no such key, which counts as a violation only once it has lasted.

    A key or alias may be unknown for some minutes after its creation.
    https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
    """

    identifier: str
    reason: str


type KeyFact = KmsKey | KeyNotFound | Unresolved
"""What is known about a key."""


@dataclass(frozen=True, slots=True)
class KeyIdentifier:
    """An identifier of a key, normalized for comparison.

    A key id is hexadecimal: it is the same in any case. An alias' name is compared as it is. An id
    or alias without an ARN is resolved in the caller's account and Region; here these are empty.
    https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id
    """

    resource: str
    """`key/<key id>` or `alias/<name>`."""
    partition: str = ""
    region: str = ""
    account: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key id, key ARN, alias name or alias ARN."""
        arn = Arn.parse(text)
        if arn is None:
            return cls(text if text.startswith("alias/") else f"key/{text.lower()}")
        resource = arn.resource if arn.resource.startswith("alias/") else arn.resource.lower()
        return cls(resource, arn.partition.lower(), arn.region.lower(), arn.account)

    def within(self, home: Arn) -> Self:
        """Complete an id or alias name by the account and Region that it is used in."""
        if self.account:
            return self
        place = {"partition": home.partition, "region": home.region, "account": home.account}
        return replace(self, **place)

    @property
    def is_alias(self) -> bool:
        """Whether it names an alias, which can be moved to another key."""
        return self.resource.startswith("alias/")

    def related_to(self, other: Self) -> bool:
        """Return whether both name multi-Region keys of one set, in two Regions.

        Related keys have the same key id and material. Each is a resource of its own all the same,
        with its own ARN, key policy, grants and state: to approve one is not to approve the others.
        https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-auth.html
        """
        same = (self.resource, self.partition, self.account) == (
            other.resource,
            other.partition,
            other.account,
        )
        return same and self.resource.startswith("key/mrk-") and self.region != other.region

    def __str__(self) -> str:
        """Write an ARN; without an account, the id or alias name."""
        if self.account:
            return str(Arn(self.partition, "kms", self.region, self.account, self.resource))
        return self.resource.removeprefix("key/")


def same_key(one: str, other: str) -> bool:
    """Return whether two identifiers name the same key, or the same alias.

    Only KMS knows what an alias points to: an alias and a key ARN are never the same.
    """
    return one == other or KeyIdentifier.parse(one) == KeyIdentifier.parse(other)


def is_key_arn(identifier: str) -> bool:
    """Whether an identifier is a key ARN, which is permanent: an alias can be moved."""
    arn = Arn.parse(identifier)
    return arn is not None and arn.service == "kms" and arn.resource.startswith("key/")


def named_arn(identifier: str, beside: Arn) -> str:
    """Return the ARN of a key id or alias name, normalized for comparison.

    Args:
        identifier: Any identifier of a key.
        beside: An ARN of the account and Region in which the identifier is resolved.

    """
    return str(KeyIdentifier.parse(identifier).within(beside))


def certain_arn(fact: KeyFact | None, identifier: str | None) -> str | None:
    """Return a key's ARN if it is certain: from KMS's answer, or because the identifier is one."""
    if isinstance(fact, KmsKey):
        return fact.arn
    if identifier and is_key_arn(identifier):
        return str(KeyIdentifier.parse(identifier))
    return None


@dataclass(frozen=True, slots=True)
class ApprovedKey:
    """A key that the policy approves: as configured, and the ARN that it resolves to now."""

    identifier: str
    arn: str | KeyNotFound | Unresolved
    named: str | None = None
    """The ARN of a key id in the cluster's account and Region."""
    last_target: str | None = None
    """The last ARN of an identifier that no longer exists; None if unknown."""

    def names(self, arn: str) -> bool:
        """Whether this approves the key of that ARN."""
        own = self.named or self.identifier
        return same_key(own, arn) or (isinstance(self.arn, str) and same_key(self.arn, arn))
