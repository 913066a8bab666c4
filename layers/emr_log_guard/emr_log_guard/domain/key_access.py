"""May a role use a key? Identity policies and the key policy, weighed as AWS weighs them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from dataclasses import dataclass
from enum import StrEnum

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.iam_policy import Truth
from emr_log_guard.domain.key_policy import KeyPolicyVerdict
from emr_log_guard.domain.unresolved import Unresolved


class IdentityDecision(StrEnum):
    """What iam:SimulatePrincipalPolicy decides of a role's own policies.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"
    LIMITED = "limited"
    """A permissions boundary or an organization's policy withholds the action: no key policy
    can give it back to a role."""


@dataclass(frozen=True, slots=True)
class UndeterminedDecision:
    """What the role's own policies decide hangs on conditions that only a request can meet."""

    possible: frozenset[IdentityDecision]
    """The decisions that it may come to."""
    reason: str


@dataclass(frozen=True, slots=True)
class RoleKeyAccess:
    """What is known of one role's right to one action on one key."""

    title: str
    """`service role` or `instance profile's role`."""
    role_arn: str
    action: str
    identity: IdentityDecision | UndeterminedDecision | Unresolved
    key_policy: KeyPolicyVerdict | Unresolved

    def evaluate(self, key_account: str) -> bool | Unresolved:
        """Say whether the role may, may not, or that it cannot be told."""
        if not isinstance(self.identity, UndeterminedDecision):
            return self._evaluate(self.identity, key_account)
        answers = {self._evaluate(decision, key_account) for decision in self.identity.possible}
        if len(answers) == 1:
            return answers.pop()
        return Unresolved(self.identity.reason)

    def _evaluate(
        self, identity: IdentityDecision | Unresolved, key_account: str
    ) -> bool | Unresolved:
        if identity in (IdentityDecision.EXPLICIT_DENY, IdentityDecision.LIMITED):
            return False
        role = Arn.parse(self.role_arn)
        same_account = role is not None and role.account == key_account
        if identity is IdentityDecision.IMPLICIT_DENY and not same_account:
            return False
        match self.key_policy:
            case Unresolved() as unresolved:
                return unresolved
            case KeyPolicyVerdict(denies=Truth.YES):
                return False
            case KeyPolicyVerdict(allows=Truth.NO, delegates=Truth.NO):
                return False
            case verdict:
                return _weigh(identity, verdict)


def _weigh(identity: IdentityDecision | Unresolved, verdict: KeyPolicyVerdict) -> bool | Unresolved:
    if isinstance(identity, Unresolved):
        return identity
    granted = verdict.allows
    if identity is IdentityDecision.ALLOWED:
        granted = max(granted, verdict.delegates)
    if granted is Truth.NO:
        return False
    doubtful = Truth.UNDECIDED in (granted, verdict.denies)
    return Unresolved(verdict.doubt) if doubtful else True
