"""The policy that a stored document makes hold, for whoever only looks."""

from dataclasses import replace

from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.policy_document import STRICT, parse_policy
from emr_log_guard.usecases.ports import StoredPolicy, UnreadablePolicy


def policy_of(stored: StoredPolicy | UnreadablePolicy, *, allowed: bool) -> Policy:
    """Give the policy that a stored document makes hold: its own, or the strict defaults."""
    if isinstance(stored, UnreadablePolicy):
        return STRICT
    try:
        policy = parse_policy(stored.text, allowed=allowed)
        return replace(policy, version=stored.version, stored_at=stored.stored_at)
    except InvalidPolicyError:
        return STRICT
