"""Evaluating a key policy for one role and one action, as far as possible without a request.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""

from collections.abc import Mapping
from dataclasses import dataclass

from emr_log_guard.domain.iam_policy import (
    KeyUse,
    Statement,
    Truth,
    applies,
    statements,
    strings,
    why_unknown,
)


@dataclass(frozen=True, slots=True)
class KeyPolicyVerdict:
    """The result of a key policy for one role and one action."""

    allows: Truth
    """It grants the action to the role itself."""
    delegates: Truth
    """It delegates the action to the identity policies of the role's account."""
    denies: Truth
    unresolved: str = ""
    """Which elements could not be evaluated; empty when all could."""


def evaluate_key_policy(document: Mapping[str, object], use: KeyUse) -> KeyPolicyVerdict:
    """Evaluate every statement of a key policy. What cannot be evaluated is UNKNOWN."""
    allows = delegates = denies = Truth.NO
    unresolved: list[str] = []
    for statement in statements(document):
        about = applies(statement, use)
        direct, through_account = _principal(statement, use)
        direct, through_account = min(about, direct), min(about, through_account)
        if statement.get("Effect") == "Deny":
            denies = max(denies, direct, through_account)
        elif statement.get("Effect") == "Allow":
            allows, delegates = max(allows, direct), max(delegates, through_account)
        if Truth.UNKNOWN in (direct, through_account):
            unresolved.append(why_unknown("the key policy's", statement, use))
    return KeyPolicyVerdict(allows, delegates, denies, "; ".join(unresolved))


def _principal(statement: Statement, use: KeyUse) -> tuple[Truth, Truth]:
    """Return whether the statement names the role itself, and whether its account."""
    if "NotPrincipal" in statement:
        return Truth.UNKNOWN, Truth.NO
    principal = statement.get("Principal")
    named = (
        set(strings(principal.get("AWS")))
        if isinstance(principal, Mapping)
        else set(strings(principal))
    )
    account_root = {use.account, f"{_iam_prefix(use)}:root"}
    return (
        Truth.of(holds=bool(named & {"*", use.role_arn})),
        Truth.of(holds=bool(named & account_root)),
    )


def _iam_prefix(use: KeyUse) -> str:
    return use.role_arn.partition(":role/")[0]
