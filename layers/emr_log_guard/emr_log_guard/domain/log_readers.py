"""Who can read log objects once they are re-encrypted, as far as the key policies show.

To read an object with SSE-KMS takes kms:Decrypt on its key, beside s3:GetObject. Grants and the
identity policies of principals are not read: where these decide, the result says so.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.iam_policy import KeyUse, Truth, applies, statements, strings
from emr_log_guard.domain.key_policy import evaluate_key_policy, root_of
from emr_log_guard.domain.reencryption_plan import KeyChange

_READ = "kms:Decrypt"
_TO_IDENTITY_POLICIES = "the new key's policy leaves it to identity policies"
_FROM_IDENTITY_POLICIES = (
    "the new key's policy denies it, and identity policies decide whether it can read now"
)


@dataclass(frozen=True, slots=True)
class KeyWithPolicy:
    """A key and its policy."""

    arn: str
    policy: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class UndeterminedReader:
    """A principal of which the key policies do not show whether it can read."""

    principal: str
    reason: str


@dataclass(frozen=True, slots=True)
class Readers:
    """Who can read objects that are encrypted with a key. Principals as the policy names them."""

    allowed: tuple[str, ...] = ()
    by_identity_policies: tuple[str, ...] = ()
    """The roots of the accounts whose identity policies decide."""
    undetermined: tuple[UndeterminedReader, ...] = ()


@dataclass(frozen=True, slots=True)
class ReaderChange:
    """What a new key changes for those who can read. Principals as the policies name them."""

    lost: tuple[str, ...] = ()
    """Allowed by the policy of the former key, and not by that of the new one.

    The root of an account is here if its identity policies decide now, and would not then.
    """
    by_identity_policies: tuple[str, ...] = ()
    """The roots of the accounts whose identity policies decide now and then.

    Those that name the former key have to name the new one, too.
    """
    undetermined: tuple[UndeterminedReader, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparedReaders:
    """Who can read the objects before and after a change of their key."""

    change: KeyChange
    readers: ReaderChange | Readers | None
    """The change, where both keys have a policy that could be read; else who can read then; None
    where the new key's policy could not be read."""
    unread: tuple[str, ...] = ()
    """Why a policy could not be read."""


@dataclass(frozen=True, slots=True)
class _Access:
    """What a key policy says about a principal."""

    directly: Truth
    by_identity_policies: Truth
    denied: bool
    reason: str

    @property
    def of_account(self) -> Truth:
        """The same for the root of an account, which the policy names to delegate."""
        return max(self.directly, self.by_identity_policies)


def readers_of(key: KeyWithPolicy) -> Readers:
    """Determine who can read objects that are encrypted with a key.

    For objects that have SSE-S3 or an AWS-managed key now, that is all that key policies show:
    today everybody can read them whom S3 lets, and then only these.
    """
    allowed: list[str] = []
    delegated: list[str] = []
    undetermined = []
    for principal in _named(key, "Allow"):
        access = _access(key, principal)
        if _is_root(principal):
            can, certain = access.of_account, delegated
        else:
            can, certain = access.directly, allowed
        if can is Truth.YES:
            certain.append(principal)
        elif can is Truth.UNKNOWN:
            undetermined.append(UndeterminedReader(principal, access.reason))
    return Readers(tuple(allowed), tuple(delegated), tuple(undetermined))


def compare_readers(former: KeyWithPolicy, new: KeyWithPolicy) -> ReaderChange:
    """Compare who can read now with who could read with the new key.

    Args:
        former: The customer-managed key that the objects have.
        new: The key that they would get.

    """
    lost, delegated, undetermined = [], [], []
    for principal in sorted({*_named(former, "Allow"), *_named(new, "Deny")}):
        before, after = _access(former, principal), _access(new, principal)
        if _is_root(principal):
            can, could = before.of_account, after.of_account
            if can is not Truth.NO and could is Truth.YES:
                delegated.append(principal)
        else:
            can, could = before.directly, after.directly
        if can is Truth.YES and after.of_account is Truth.NO:
            lost.append(principal)
        elif could is not Truth.YES and (reason := _undetermined(can, before, after)):
            undetermined.append(UndeterminedReader(principal, reason))
    return ReaderChange(tuple(lost), tuple(delegated), tuple(undetermined))


def _undetermined(can: Truth, before: _Access, after: _Access) -> str:
    """Return why it is not known whether a principal would lose access; empty if it would not."""
    if can is Truth.NO:
        by_identity_policies = before.by_identity_policies is not Truth.NO
        return _FROM_IDENTITY_POLICIES if by_identity_policies and after.denied else ""
    if can is Truth.UNKNOWN:
        return before.reason
    return after.reason or _TO_IDENTITY_POLICIES


def _access(key: KeyWithPolicy, principal: str) -> _Access:
    verdict = evaluate_key_policy(key.policy, KeyUse(principal, _READ, key.arn))
    permitted = verdict.denies.inverse
    return _Access(
        min(verdict.allows, permitted),
        min(verdict.delegates, permitted),
        verdict.denies is Truth.YES,
        verdict.unresolved,
    )


def _named(key: KeyWithPolicy, effect: str) -> tuple[str, ...]:
    """Return the principals named by the statements about reading, sorted; accounts as roots."""
    found: set[str] = set()
    anyone = KeyUse("", _READ, key.arn)
    for statement in statements(key.policy):
        if statement.get("Effect") == effect and applies(statement, anyone) is not Truth.NO:
            found.update(_principals(statement, key.arn))
    return tuple(sorted(found))


def _principals(statement: Mapping[str, object], key_arn: str) -> Iterator[str]:
    if "NotPrincipal" in statement:
        yield "all principals but those of a NotPrincipal"
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping):
        yield from strings(principal)
        return
    for named in strings(principal.get("AWS")):
        is_account = named.isdecimal()
        yield f"arn:{Arn.of(key_arn).partition}:iam::{named}:root" if is_account else named
    yield from strings(principal.get("Service"))


def _is_root(principal: str) -> bool:
    return principal == root_of(principal)
