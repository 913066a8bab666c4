"""May a role use a key? Identity policies and the key policy, weighed as AWS weighs them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from dataclasses import dataclass
from enum import StrEnum

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.key_policy import KeyPolicyVerdict, Truth
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
class RoleKeyAccess:
    """What is known of one role's right to one action on one key."""

    title: str
    """`service role` or `instance profile's role`."""
    role_arn: str
    action: str
    identity: IdentityDecision | Unresolved
    key_policy: KeyPolicyVerdict | Unresolved

    def judge(self, key_account: str) -> bool | Unresolved:
        """Say whether the role may, may not, or that it cannot be told."""
        denied = (IdentityDecision.EXPLICIT_DENY, IdentityDecision.LIMITED)
        if self.identity in denied:
            return False
        role = Arn.parse(self.role_arn)
        same_account = role is not None and role.account == key_account
        if self.identity is IdentityDecision.IMPLICIT_DENY and not same_account:
            return False
        match self.key_policy:
            case Unresolved() as unresolved:
                return unresolved
            case KeyPolicyVerdict(denies=Truth.YES):
                return False
            case KeyPolicyVerdict(allows=Truth.NO, delegates=Truth.NO):
                return False
            case verdict:
                return self._weigh(verdict)

    def _weigh(self, verdict: KeyPolicyVerdict) -> bool | Unresolved:
        if isinstance(self.identity, Unresolved):
            return self.identity
        granted = verdict.allows
        if self.identity is IdentityDecision.ALLOWED:
            granted = max(granted, verdict.delegates)
        if granted is Truth.NO:
            return False
        doubtful = Truth.UNDECIDED in (granted, verdict.denies)
        return Unresolved(verdict.doubt) if doubtful else True
