"""Whether a key is approved: shared by the rules about clusters, steps and log objects."""

from collections.abc import Sequence

from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    non_compliant,
    transient_violation,
    undetermined,
)
from emr_log_guard.domain.keys import (
    ApprovedKey,
    KeyIdentifier,
    KeyNotFound,
    is_key_arn,
    same_key,
)
from emr_log_guard.domain.unresolved import Unresolved


def approval(what: str, arn: str, approved: Sequence[ApprovedKey]) -> Outcome:
    """Check whether a key is one of the approved keys, of which there is at least one.

    Keys are compared by their ARNs: an alias counts as the key that it points to now, and a related
    multi-Region key is another key. An approved key that does not exist may be a typo of this key,
    so the outcome is undetermined; unless its last target is known: then it approves only that key,
    and the violation is confirmed once the absence has lasted.

    Args:
        what: What the key is, such as `the log key`.
        arn: The key.
        approved: What the policy lists.

    """
    if any(each.names(arn) for each in approved):
        return compliant(f"{what} {arn} is approved")
    unresolved = [found for each in approved if (found := _unresolved(each, arn))]
    if unresolved:
        return undetermined(min(unresolved, key=lambda each: each.transient))
    listed = ", ".join(each.identifier for each in approved)
    violation = f"{what} {arn} is not one of the approved keys ({listed}){_related(arn, approved)}"
    missing = [each for each in approved if isinstance(each.arn, KeyNotFound)]
    if missing:
        names = ", ".join(f"{each.identifier}, which was {each.last_target}" for each in missing)
        return transient_violation(f"{violation}; an approved key no longer exists: {names}")
    return non_compliant(violation)


def _unresolved(approved: ApprovedKey, arn: str) -> Unresolved | None:
    """Return why an approved key that does not match may be this one; None when it cannot be."""
    last = approved.last_target
    match approved.arn:
        case Unresolved() as unread if unread.transient or not is_key_arn(approved.identifier):
            reason = f"approved key {approved.identifier} cannot be resolved: {unread.reason}"
            return Unresolved(reason, unread.transient)
        case KeyNotFound(reason=reason) if last is None:
            return Unresolved(f"approved key {approved.identifier} does not exist: {reason}")
        case KeyNotFound(reason=reason) if last and same_key(last, arn):
            return Unresolved(
                f"approved key {approved.identifier} no longer exists, and was {arn}: {reason}"
            )
        case _:
            return None


def _related(arn: str, approved: Sequence[ApprovedKey]) -> str:
    key = KeyIdentifier.parse(arn)
    for each in approved:
        listed = KeyIdentifier.parse(each.arn if isinstance(each.arn, str) else each.identifier)
        if key.related_to(listed):
            return (
                f"; {each.identifier} is a related multi-Region key in {listed.region}, with a key "
                "policy of its own: to approve this one as well, add its ARN to approved_keys"
            )
    return ""
