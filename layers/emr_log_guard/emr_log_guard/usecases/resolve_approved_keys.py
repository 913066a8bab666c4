"""Looking up the keys that a policy is to approve, before it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from emr_log_guard.domain.approved_keys import unusable_key, wrong_region
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.usecases.ports import Keys


@dataclass(frozen=True, slots=True)
class ApprovedKeysResolved:
    """What came of it: each names the field, what is wrong, and the fix."""

    problems: tuple[str, ...]
    """Keys that do not exist, or that no cluster can log with."""
    unread: tuple[str, ...]
    """Keys of which nothing could be read."""


def resolve_approved_keys(
    identifiers: Sequence[str], keys: Keys, region: str
) -> ApprovedKeysResolved:
    """Look up each approved key of the Region: one DescribeKey each."""
    problems, unread = [], []
    for place, identifier in enumerate(identifiers):
        field = f"approved_keys[{place}]"
        if elsewhere := wrong_region(identifier, region):
            problems.append(f"{field}: {elsewhere}")
            continue
        fact = keys.describe(identifier)
        if isinstance(fact, Unresolved):
            unread.append(f"{field}: {identifier} was not checked: {fact.reason}")
        elif problem := unusable_key(identifier, fact):
            problems.append(f"{field}: {problem}")
    return ApprovedKeysResolved(tuple(problems), tuple(unread))
