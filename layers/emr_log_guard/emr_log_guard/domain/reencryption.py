"""Whether a log object is re-encrypted, and with which key: pure decisions.

Never re-encrypted: an object that is no log of a known cluster, a compliant or undetermined one,
and one that S3 cannot re-encrypt. Never used: a key that is not customer-managed, enabled,
symmetric, approved, and of the bucket's account and Region.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/update-sse-encryption.html
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from emr_log_guard.domain.clusters import BucketOwnership, Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import ApprovedKey, KeyFact, KeyManager, KeyState, KmsKey, same_key
from emr_log_guard.domain.log_objects import SSE_C, Encryption, LogObjectFacts
from emr_log_guard.domain.unresolved import Unresolved

_SYMMETRIC = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
SUPPORTED = frozenset({"AES256", "aws:kms"})
"""What UpdateObjectEncryption can re-encrypt.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html
"""
_COPY = "copy it onto itself with --sse aws:kms"
_UNSUPPORTED = {
    None: f"it is not encrypted: {_COPY}",
    SSE_C: f"it is encrypted with SSE-C: {_COPY}, and the customer-provided key of the source",
    "aws:kms:dsse": f"it is encrypted with DSSE-KMS: {_COPY}:dsse and the intended key",
}


@dataclass(frozen=True, slots=True)
class Reencrypt:
    """Re-encrypt the object."""

    key_arn: str
    rule_id: str
    """The rule that it violates."""
    former: str
    """The ARN or id of its current key, or `SSE-S3`."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the object as it is: there is nothing to remediate."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The object should be re-encrypted, and cannot be."""

    rule_id: str
    cause: str
    """The same for all objects with the same cause; says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """The keys that an object may be re-encrypted with, and where."""

    named: KeyFact | None
    """The key that its step names, else its cluster; None when neither names one."""
    default: KeyFact | None
    """The policy's `default_key`; None when there is none."""
    approved_keys: Sequence[ApprovedKey]
    """Empty while the policy lists none."""
    bucket: BucketOwnership | Unresolved


@dataclass(frozen=True, slots=True)
class Remediable:
    """A log object that violates a rule, and that S3 can re-encrypt."""

    facts: LogObjectFacts
    cluster: Cluster
    rule_id: str
    """The rule that it violates."""
    key: str | None
    """The ARN or id of its current key; None with SSE-S3."""


def violation_of(
    facts: LogObjectFacts, outcomes: Mapping[str, Compliance], rules: Collection[str]
) -> Remediable | Leave | Refuse:
    """Determine whether a log object is to be re-encrypted at all.

    Args:
        facts: The object, as just read.
        outcomes: The results of the log-object rules for these facts, by rule id.
        rules: The rules whose violations are remediated.

    """
    broken = sorted(r for r, each in outcomes.items() if each is Compliance.NON_COMPLIANT)
    if isinstance(facts.cluster, Unresolved):
        return Leave("its cluster is not known here")
    if isinstance(facts.encryption, Unresolved) or not broken:
        return Leave("it is not known to violate a rule")
    rule_id = next((each for each in broken if each in rules), None)
    if rule_id is None:
        return Leave("the policy does not re-encrypt for the rule, or exempts the cluster")
    if facts.encryption.algorithm not in SUPPORTED:
        return Refuse(rule_id, _unsupported(facts.encryption))
    return Remediable(facts, facts.cluster, rule_id, facts.encryption.key_identifier)


def key_for(violation: Remediable, target: Target) -> Reencrypt | Refuse:
    """Choose the key of a log object that is to be re-encrypted.

    Args:
        violation: The object.
        target: The keys to choose from, as just read.

    """
    key = _key(target)
    if isinstance(key, str):
        return Refuse(violation.rule_id, key)
    if violation.key is not None and same_key(violation.key, key.arn):
        cause = f"it is encrypted with {key.arn} already, and that violates {violation.rule_id}"
        return Refuse(violation.rule_id, f"{cause}: see its runbook")
    return Reencrypt(key.arn, violation.rule_id, violation.key or "SSE-S3")


def _unsupported(encryption: Encryption) -> str:
    other = f"it is encrypted with {encryption.algorithm}, which S3 cannot re-encrypt: {_COPY}"
    return _UNSUPPORTED.get(encryption.algorithm, other)


def _key(target: Target) -> KmsKey | str:
    """Choose the key, or say why there is none: the named one, else the default."""
    if target.named is None and target.default is None:
        return (
            "its cluster names no log key, and the policy has no reencryption.default_key: set one"
        )
    if isinstance(target.named, Unresolved):
        return f"the log key of its cluster could not be read: {target.named.reason}"
    problems = []
    for of, key in (("its cluster's log key", target.named), ("default_key", target.default)):
        if key is None:
            continue
        problem = _problem(key, target)
        if isinstance(key, KmsKey) and problem is None:
            return key
        problems.append(f"{of} {problem}")
    if target.default is None:
        problems.append("and the policy has no reencryption.default_key: set one")
    return "; ".join(problems)


def _problem(key: KeyFact, target: Target) -> str | None:
    """Return why logs must not be re-encrypted with a key; None if they may."""
    match key:
        case KmsKey(manager=KeyManager.AWS):
            return f"{key.arn} is managed by AWS: name a customer-managed key"
        case KmsKey(state=state) if state is not KeyState.ENABLED:
            return f"{key.arn} is {state}: enable it, or name another"
        case KmsKey(spec=spec, usage=usage) if (spec, usage) != _SYMMETRIC:
            return f"{key.arn} is no symmetric encryption key: name one"
        case KmsKey() if elsewhere := _elsewhere(key, target.bucket):
            return elsewhere
        case KmsKey() if target.approved_keys and not any(
            each.names(key.arn) for each in target.approved_keys
        ):
            return f"{key.arn} is not one of the approved keys: approve it, or name another"
        case KmsKey():
            return None
        case _:
            return f"could not be read: {key.reason}"


def _elsewhere(key: KmsKey, bucket: BucketOwnership | Unresolved) -> str | None:
    """Return why S3 cannot use a key in a bucket; None if it can."""
    if isinstance(bucket, Unresolved):
        return f"{key.arn} cannot be compared with the owner of the bucket: {bucket.reason}"
    if key.account != bucket.owner:
        return f"{key.arn} is not a key of the bucket's account, as S3 requires: name one"
    if key.region != bucket.region:
        return f"{key.arn} is not a key of the bucket's Region: name one"
    return None
