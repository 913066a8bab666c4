"""Evaluating a role's own policies for one use of one key, as far as possible without a request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from emr_log_guard.domain.iam_policy import KeyUse, Truth, applies, statements, why_unknown
from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision


@dataclass(frozen=True, slots=True)
class RolePolicies:
    """The policy documents of a role."""

    identity: tuple[Mapping[str, object], ...]
    """Inline and attached."""
    boundary: Mapping[str, object] | None = None


def evaluate_role_policies(
    policies: RolePolicies, use: KeyUse
) -> IdentityDecision | UndeterminedDecision:
    """Return the decision of the role's policies, or the possible decisions and why."""
    unresolved: list[str] = []
    allows, denies = _evaluate("the role's", policies.identity, use, unresolved)
    within = Truth.YES
    if policies.boundary is not None:
        permits, forbids = _evaluate("the boundary's", (policies.boundary,), use, unresolved)
        within = min(permits, forbids.inverse)
    possible = frozenset(
        _decide(*truths) for truths in product(allows.possible, denies.possible, within.possible)
    )
    if len(possible) == 1:
        return next(iter(possible))
    return UndeterminedDecision(possible, "; ".join(unresolved))


def _decide(allowed: Truth, denied: Truth, within: Truth) -> IdentityDecision:
    if within is Truth.NO:
        return IdentityDecision.LIMITED
    if denied is Truth.YES:
        return IdentityDecision.EXPLICIT_DENY
    return IdentityDecision.ALLOWED if allowed is Truth.YES else IdentityDecision.IMPLICIT_DENY


def _evaluate(
    owner: str, documents: Iterable[Mapping[str, object]], use: KeyUse, unresolved: list[str]
) -> tuple[Truth, Truth]:
    """Return whether any statement allows the use, and whether any denies it."""
    found = {"Allow": Truth.NO, "Deny": Truth.NO}
    for document in documents:
        for statement in statements(document):
            about = applies(statement, use)
            effect = str(statement.get("Effect"))
            found[effect] = max(found.get(effect, Truth.NO), about)
            if about is Truth.UNKNOWN:
                unresolved.append(why_unknown(owner, statement, use))
    return found["Allow"], found["Deny"]
