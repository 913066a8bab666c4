"""Reading a role's own policies for one use of one key, as far as a reader can decide it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from emr_log_guard.domain.iam_policy import KeyUse, Truth, applies, statements, undecided
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
    """Decide what the role's policies say, or which decisions remain possible, and why."""
    doubts: list[str] = []
    allows, denies = _weigh("the role's", policies.identity, use, doubts)
    within = Truth.YES
    if policies.boundary is not None:
        permits, forbids = _weigh("the boundary's", (policies.boundary,), use, doubts)
        within = min(permits, forbids.inverse)
    possible = frozenset(
        _decide(*truths) for truths in product(allows.possible, denies.possible, within.possible)
    )
    if len(possible) == 1:
        return next(iter(possible))
    return UndeterminedDecision(possible, "; ".join(doubts))


def _decide(allowed: Truth, denied: Truth, within: Truth) -> IdentityDecision:
    if within is Truth.NO:
        return IdentityDecision.LIMITED
    if denied is Truth.YES:
        return IdentityDecision.EXPLICIT_DENY
    return IdentityDecision.ALLOWED if allowed is Truth.YES else IdentityDecision.IMPLICIT_DENY


def _weigh(
    owner: str, documents: Iterable[Mapping[str, object]], use: KeyUse, doubts: list[str]
) -> tuple[Truth, Truth]:
    """Say whether any statement allows the use, and whether any denies it."""
    found = {"Allow": Truth.NO, "Deny": Truth.NO}
    for document in documents:
        for statement in statements(document):
            about = applies(statement, use)
            effect = str(statement.get("Effect"))
            found[effect] = max(found.get(effect, Truth.NO), about)
            if about is Truth.UNDECIDED:
                doubts.append(undecided(owner, statement, use))
    return found["Allow"], found["Deny"]
