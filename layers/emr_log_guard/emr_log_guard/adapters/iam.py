"""IAM: a cluster's roles and what their own policies allow."""

from typing import TYPE_CHECKING

from emr_log_guard.adapters.aws_errors import AWS_ERRORS, unresolved
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.unresolved import Unresolved

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_iam.type_defs import EvaluationResultTypeDef


class IamRoles:
    """Roles and instance profiles of this account."""

    def __init__(self, client: "IAMClient") -> None:
        """Read through this client."""
        self._client = client

    def role_arn(self, role: str) -> str | Unresolved:
        """Find a role's ARN, its path included, from its name or ARN: at most one GetRole."""
        if role.startswith("arn:"):
            return role
        try:
            return self._client.get_role(RoleName=role)["Role"]["Arn"]
        except AWS_ERRORS as error:
            return unresolved("iam:GetRole", role, error)

    def instance_profile_role_arn(self, profile: str) -> str | Unresolved:
        """Find the role in an instance profile, from its name or ARN: one GetInstanceProfile."""
        name = profile.rpartition("/")[2]
        try:
            answer = self._client.get_instance_profile(InstanceProfileName=name)
        except AWS_ERRORS as error:
            return unresolved("iam:GetInstanceProfile", name, error)
        roles = answer["InstanceProfile"]["Roles"]
        return roles[0]["Arn"] if roles else Unresolved(f"instance profile {name} holds no role")

    def simulate(self, role_arn: str, action: str, resource: str) -> IdentityDecision | Unresolved:
        """Ask what a role's own policies say of one action: one SimulatePrincipalPolicy.

        The simulator knows the role's policies, its permissions boundary and the organization's
        policies, but not the key policy.
        https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        """
        try:
            answer = self._client.simulate_principal_policy(
                PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource]
            )
        except AWS_ERRORS as error:
            return unresolved("iam:SimulatePrincipalPolicy", role_arn, error)
        return _decision(answer["EvaluationResults"][0], f"{action} by {role_arn}")


def _decision(result: "EvaluationResultTypeDef", use: str) -> IdentityDecision | Unresolved:
    missing = set(result.get("MissingContextValues", []))
    for specific in result.get("ResourceSpecificResults", []):
        missing |= set(specific.get("MissingContextValues", []))
    if missing:
        conditions = ", ".join(sorted(missing))
        return Unresolved(f"{use} depends on conditions that only a request has: {conditions}")
    boundary = result.get("PermissionsBoundaryDecisionDetail", {})
    organization = result.get("OrganizationsDecisionDetail", {})
    if not (
        boundary.get("AllowedByPermissionsBoundary", True)
        and organization.get("AllowedByOrganizations", True)
    ):
        return IdentityDecision.LIMITED
    return IdentityDecision(result["EvalDecision"])
