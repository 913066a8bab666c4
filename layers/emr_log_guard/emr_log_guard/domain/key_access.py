"""Whether a role may use a key: identity policies and the key policy, evaluated as AWS does.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from dataclasses import dataclass
from enum import StrEnum

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.iam_policy import Truth
from emr_log_guard.domain.key_policy import KeyPolicyVerdict
from emr_log_guard.domain.unresolved import Unresolved


class IdentityDecision(StrEnum):
    """The decision of iam:SimulatePrincipalPolicy about a role's own policies.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"
    LIMITED = "limited"
    """A permissions boundary or an organization's policy does not allow the action: a key policy
    cannot override that."""


@dataclass(frozen=True, slots=True)
class UndeterminedDecision:
    """The decision depends on conditions that are only known at request time."""

    possible: frozenset[IdentityDecision]
    """The possible decisions."""
    reason: str


@dataclass(frozen=True, slots=True)
class RoleKeyAccess:
    """What is known about one role's access to one action on one key."""

    title: str
    """`service role` or `instance profile's role`."""
    role_arn: str
    action: str
    identity: IdentityDecision | UndeterminedDecision | Unresolved
    key_policy: KeyPolicyVerdict | Unresolved

    def evaluate(self, key_account: str) -> bool | Unresolved:
        """Return whether the role may, or Unresolved when that cannot be determined."""
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
                return _combine(identity, verdict)


def _combine(
    identity: IdentityDecision | Unresolved, verdict: KeyPolicyVerdict
) -> bool | Unresolved:
    if isinstance(identity, Unresolved):
        return identity
    granted = verdict.allows
    if identity is IdentityDecision.ALLOWED:
        granted = max(granted, verdict.delegates)
    if granted is Truth.NO:
        return False
    undetermined = Truth.UNKNOWN in (granted, verdict.denies)
    return Unresolved(verdict.unresolved) if undetermined else True
