"""Problems of approved keys."""

from collections.abc import Mapping, Sequence

from emr_log_guard.domain.keys import (
    ApprovedKey,
    KeyFact,
    KeyIdentifier,
    KeyManager,
    KeyNotFound,
    KeyState,
    KmsKey,
)

_USABLE = frozenset({KeyState.ENABLED, KeyState.UPDATING})
_FIXES = {
    KeyState.DISABLED: "enable it",
    KeyState.PENDING_DELETION: "cancel its deletion and enable it",
    KeyState.PENDING_REPLICA_DELETION: "cancel its deletion and enable it",
    KeyState.PENDING_IMPORT: "import its key material",
    KeyState.UNAVAILABLE: "connect its custom key store",
    KeyState.CREATING: "wait a moment",
}


def wrong_region(identifier: str, region: str) -> str | None:
    """Return why an approved key can never match in a stack of that Region; None if it can.

    EMR accepts only keys of the cluster's own Region. A related multi-Region key of that Region is
    another key: https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-auth.html
    """
    key = KeyIdentifier.parse(identifier)
    if key.region in ("", region):
        return None
    fix = f"list the key of {region}"
    if key.resource.startswith("key/mrk-"):
        replica = KeyIdentifier(key.resource, key.partition, region, key.account)
        fix = f"list its replica of {region}, a key with a policy of its own: {replica}"
    return f"{identifier} is in {key.region}, and the clusters are in {region}; {fix}"


def missing_approved_keys(approved: Sequence[ApprovedKey]) -> Mapping[str, str]:
    """Return the problems of the approved keys that do not exist, by identifier.

    Args:
        approved: All that the policy lists, in its order.

    """
    return {
        each.identifier: f"approved_keys[{place}]: {unusable_key(each.identifier, each.arn)}"
        for place, each in enumerate(approved)
        if isinstance(each.arn, KeyNotFound)
    }


def unusable_key(identifier: str, fact: KeyFact) -> str | None:
    """Return why no cluster can log with an approved key, and the fix; None without a problem.

    Args:
        identifier: The key as the policy names it.
        fact: What KMS knows about it.

    """
    match fact:
        case KeyNotFound(reason=reason):
            return f"{identifier} does not exist ({reason}); correct it, or remove it"
        case KmsKey(manager=KeyManager.AWS):
            return f"{identifier} is managed by AWS; list a customer-managed key"
        case KmsKey(spec=spec, usage=usage) if (spec, usage) != (
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
        ):
            return (
                f"{identifier} is a {spec} key for {usage}; list a symmetric encryption key "
                "(SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT)"
            )
        case KmsKey(state=state) if state not in _USABLE:
            return f"{identifier} is {state}; {_FIXES[state]}, or remove it"
        case _:
            return None
