"""Evaluating a key policy for one principal and one action, as far as possible without a request.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from emr_log_guard.domain.arn import Arn
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
    """The result of a key policy for one principal and one action."""

    allows: Truth
    """It grants the action to the principal itself."""
    delegates: Truth
    """It delegates the action to the identity policies of the principal's account."""
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
    """Return whether the statement names the principal itself, and whether its account."""
    if "NotPrincipal" in statement:
        return Truth.UNKNOWN, Truth.NO
    principal = statement.get("Principal")
    services: set[str] = set()
    if isinstance(principal, Mapping):
        named = set(strings(principal.get("AWS")))
        services = set(strings(principal.get("Service")))
    else:
        named = set(strings(principal))
    account_root = {use.account, root_of(use.principal)}
    return (
        Truth.of(holds=bool(named & {"*", use.principal}) or use.principal in services),
        Truth.of(holds=bool(named & account_root)),
    )


def root_of(principal: str) -> str | None:
    """Return the ARN that stands for a principal's account; None when that is unknown."""
    arn = Arn.parse(principal)
    return str(replace(arn, service="iam", region="", resource="root")) if arn else None
