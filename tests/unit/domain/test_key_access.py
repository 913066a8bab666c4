from itertools import combinations, product

import pytest

from emr_log_guard.domain.iam_policy import Truth
from emr_log_guard.domain.key_access import IdentityDecision, RoleKeyAccess, UndeterminedDecision
from emr_log_guard.domain.key_policy import KeyPolicyVerdict
from emr_log_guard.domain.unresolved import Unresolved
from tests.unit.builders import ACCOUNT, OTHER_ACCOUNT, service_role_access

ALLOWED, IMPLICIT, EXPLICIT, LIMITED = IdentityDecision
NO, UNKNOWN, YES = Truth.NO, Truth.UNKNOWN, Truth.YES

NO_SIMULATION = Unresolved("iam:SimulatePrincipalPolicy answered AccessDenied")
NO_KEY_POLICY = Unresolved("kms:GetKeyPolicy answered AccessDeniedException")
DOUBT = "the key policy's Deny statement cannot be decided"


def a_verdict(allows: Truth = NO, delegates: Truth = NO, denies: Truth = NO) -> KeyPolicyVerdict:
    return KeyPolicyVerdict(allows, delegates, denies, DOUBT)


# Who may, when everything is known: (identity, the key policy grants the role, it delegates to
# the role's account) -> (the key is of the role's account, it is of another account).
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
TABLE = {
    (ALLOWED, False, False): (False, False),
    (ALLOWED, False, True): (True, True),
    (ALLOWED, True, False): (True, True),
    (ALLOWED, True, True): (True, True),
    (IMPLICIT, False, False): (False, False),
    (IMPLICIT, False, True): (False, False),
    (IMPLICIT, True, False): (True, False),
    (IMPLICIT, True, True): (True, False),
    (EXPLICIT, False, False): (False, False),
    (EXPLICIT, False, True): (False, False),
    (EXPLICIT, True, False): (False, False),
    (EXPLICIT, True, True): (False, False),
    (LIMITED, False, False): (False, False),
    (LIMITED, False, True): (False, False),
    (LIMITED, True, False): (False, False),
    (LIMITED, True, True): (False, False),
}


def worlds(access: RoleKeyAccess, *, same_account: bool) -> set[bool]:
    """Fill in everything that is unknown in every possible way: who may, in each?"""
    identities: tuple[IdentityDecision, ...]
    match access.identity:
        case Unresolved():
            identities = tuple(IdentityDecision)
        case UndeterminedDecision() as undetermined:
            identities = tuple(undetermined.possible)
        case decision:
            identities = (decision,)
    policy = access.key_policy
    if isinstance(policy, Unresolved):
        policy = a_verdict(UNKNOWN, UNKNOWN, UNKNOWN)
    possible = {NO: (False,), UNKNOWN: (False, True), YES: (True,)}
    return {
        TABLE[identity, allows, delegates][0 if same_account else 1] and not denies
        for identity, allows, delegates, denies in product(
            identities,
            possible[policy.allows],
            possible[policy.delegates],
            possible[policy.denies],
        )
    }


OPEN = [
    UndeterminedDecision(frozenset(decisions), "its condition on aws:PrincipalOrgID")
    for size in (2, 3, 4)
    for decisions in combinations(IdentityDecision, size)
]
"""Every set of decisions that a condition may leave open."""


@pytest.mark.parametrize("same_account", [True, False])
@pytest.mark.parametrize("identity", [*IdentityDecision, NO_SIMULATION, *OPEN])
@pytest.mark.parametrize(
    "key_policy", [NO_KEY_POLICY, *(a_verdict(*truths) for truths in product(Truth, repeat=3))]
)
def test_access_is_determined_exactly_when_all_possible_decisions_agree(
    identity: IdentityDecision | UndeterminedDecision | Unresolved,
    key_policy: KeyPolicyVerdict | Unresolved,
    *,
    same_account: bool,
) -> None:
    access = service_role_access(identity=identity, key_policy=key_policy)

    answer = access.evaluate(ACCOUNT if same_account else OTHER_ACCOUNT)

    answers = worlds(access, same_account=same_account)
    assert ({True, False} if isinstance(answer, Unresolved) else {answer}) == answers


@pytest.mark.parametrize(
    ("identity", "key_policy", "reason"),
    [
        (NO_SIMULATION, a_verdict(delegates=YES), NO_SIMULATION.reason),
        (NO_SIMULATION, a_verdict(allows=YES), NO_SIMULATION.reason),
        (ALLOWED, NO_KEY_POLICY, NO_KEY_POLICY.reason),
        (IMPLICIT, NO_KEY_POLICY, NO_KEY_POLICY.reason),
        (ALLOWED, a_verdict(delegates=UNKNOWN), DOUBT),
        (ALLOWED, a_verdict(delegates=YES, denies=UNKNOWN), DOUBT),
        (IMPLICIT, a_verdict(allows=UNKNOWN), DOUBT),
    ],
)
def test_undetermined_access_names_what_could_not_be_read(
    identity: IdentityDecision | Unresolved,
    key_policy: KeyPolicyVerdict | Unresolved,
    reason: str,
) -> None:
    access = service_role_access(identity=identity, key_policy=key_policy)

    assert access.evaluate(ACCOUNT) == Unresolved(reason)


def test_undetermined_identity_decision_is_the_reason_when_it_matters() -> None:
    open_decision = UndeterminedDecision(frozenset({ALLOWED, EXPLICIT}), "its condition on x")
    access = service_role_access(identity=open_decision, key_policy=a_verdict(delegates=YES))

    assert access.evaluate(ACCOUNT) == Unresolved("its condition on x")


def test_key_policy_grant_outweighs_an_undetermined_allow_but_not_an_undetermined_deny() -> None:
    granted = a_verdict(allows=YES)
    allow = UndeterminedDecision(frozenset({ALLOWED, IMPLICIT}), "an Allow's condition")
    deny = UndeterminedDecision(frozenset({ALLOWED, EXPLICIT}), "a Deny's condition")

    assert service_role_access(identity=allow, key_policy=granted).evaluate(ACCOUNT) is True
    assert service_role_access(identity=deny, key_policy=granted).evaluate(ACCOUNT) == Unresolved(
        "a Deny's condition"
    )


def test_role_without_an_account_is_not_in_the_account_of_the_key() -> None:
    access = service_role_access(
        role_arn="EMR_DefaultRole", identity=IMPLICIT, key_policy=a_verdict(allows=YES)
    )

    assert access.evaluate(ACCOUNT) is False
