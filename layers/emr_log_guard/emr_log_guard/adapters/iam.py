"""IAM: a cluster's roles and what their own policies allow."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emr_log_guard.adapters.errors import AWS_ERRORS, unresolved
from emr_log_guard.domain.iam_policy import KeyUse
from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
from emr_log_guard.domain.role_policies import RolePolicies, evaluate_role_policies
from emr_log_guard.domain.unresolved import Unresolved

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_iam.type_defs import ContextEntryTypeDef, EvaluationResultTypeDef


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

    def simulate(
        self, role_arn: str, action: str, resource: str
    ) -> IdentityDecision | UndeterminedDecision | Unresolved:
        """Simulate a role's own policies for one action: one SimulatePrincipalPolicy.

        The simulator knows the role's policies, its permissions boundary and the organization's
        policies, but not the key policy. It takes the known context of the request, and returns
        the missing condition keys: those of all identity policies, also of statements about other
        actions, but none of a boundary's or of a service control policy's. So if it returns any,
        or there is a boundary, the policies themselves are read; and its result for the
        organization's policies is only conclusive if they allow.
        https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
        """
        use = KeyUse(role_arn, action, resource)
        try:
            answer = self._client.simulate_principal_policy(
                PolicySourceArn=role_arn,
                ActionNames=[action],
                ResourceArns=[resource],
                ContextEntries=_context_entries(use),
            )
        except AWS_ERRORS as error:
            return unresolved("iam:SimulatePrincipalPolicy", role_arn, error)
        result = answer["EvaluationResults"][0]
        if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
            return UndeterminedDecision(
                frozenset(IdentityDecision),
                f"a service control policy denies {action} to {role_arn} in IAM's simulation, "
                "which cannot evaluate conditions that depend on the request",
            )
        boundary = _allowed_by_boundary(result)
        simulated = (
            IdentityDecision.LIMITED
            if boundary is False
            else IdentityDecision(result["EvalDecision"])
        )
        if boundary is None and not _unknown_keys(result, use):
            return simulated
        policies = self._policies(role_arn, with_boundary=boundary is not None)
        if isinstance(policies, Unresolved):
            return policies
        return _agreed(simulated, evaluate_role_policies(policies, use))

    def _policies(self, role_arn: str, *, with_boundary: bool) -> RolePolicies | Unresolved:
        """Read a role's policies: two calls, one for each inline policy, two for each other."""
        role = role_arn.rpartition("/")[2]
        try:
            documents = [self._inline(role, name) for name in self._inline_names(role)]
            documents += [self._managed(arn) for arn in self._attached(role)]
            boundary = self._boundary(role) if with_boundary else None
            return RolePolicies(
                tuple(documents), self._managed(boundary) if boundary is not None else None
            )
        except _UnreadableError as error:
            return error.fact

    def _inline_names(self, role: str) -> list[str]:
        with _calling("iam:ListRolePolicies", role):
            pages = self._client.get_paginator("list_role_policies").paginate(RoleName=role)
            return [name for page in pages for name in page["PolicyNames"]]

    def _attached(self, role: str) -> list[str]:
        with _calling("iam:ListAttachedRolePolicies", role):
            pages = self._client.get_paginator("list_attached_role_policies").paginate(
                RoleName=role
            )
            return [each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]]

    def _boundary(self, role: str) -> str | None:
        with _calling("iam:GetRole", role):
            found = self._client.get_role(RoleName=role)["Role"]
            return found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")

    def _inline(self, role: str, name: str) -> Mapping[str, object]:
        with _calling("iam:GetRolePolicy", f"{name} of {role}"):
            found = self._client.get_role_policy(RoleName=role, PolicyName=name)
            return _document(found["PolicyDocument"])

    def _managed(self, arn: str) -> Mapping[str, object]:
        with _calling("iam:GetPolicy", arn):
            version = self._client.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        with _calling("iam:GetPolicyVersion", arn):
            found = self._client.get_policy_version(PolicyArn=arn, VersionId=version)
            return _document(found["PolicyVersion"]["Document"])


class _UnreadableError(Exception):
    """A policy could not be read."""

    def __init__(self, fact: Unresolved) -> None:
        super().__init__(fact.reason)
        self.fact = fact


@contextmanager
def _calling(call: str, subject: str) -> Iterator[None]:
    try:
        yield
    except AWS_ERRORS as error:
        raise _UnreadableError(unresolved(call, subject, error)) from error


def _document(value: object) -> Mapping[str, object]:
    """Read a policy document, which botocore has decoded already."""
    document = json.loads(value) if isinstance(value, str) else value
    return document if isinstance(document, Mapping) else {}


def _context_entries(use: KeyUse) -> list["ContextEntryTypeDef"]:
    """Return the known context of the request, in the simulator's format."""
    return [
        {
            "ContextKeyName": key,
            "ContextKeyType": "boolean" if value in {"true", "false"} else "string",
            "ContextKeyValues": [value],
        }
        for key, value in use.context.items()
        if value is not None
    ]


def _unknown_keys(result: "EvaluationResultTypeDef", use: KeyUse) -> set[str]:
    """Return the condition keys of the policies whose values are unknown."""
    missing = set(result.get("MissingContextValues", []))
    for specific in result.get("ResourceSpecificResults", []):
        missing |= set(specific.get("MissingContextValues", []))
    known = {key.lower() for key in use.context}
    return {key for key in missing if key.lower() not in known}


def _allowed_by_boundary(result: "EvaluationResultTypeDef") -> bool | None:
    """Return whether the permissions boundary allows it; None when there is none."""
    details = [
        each["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]
        for each in (result, *result.get("ResourceSpecificResults", []))
        if each.get("PermissionsBoundaryDecisionDetail")
    ]
    return all(details) if details else None


def _agreed(
    simulated: IdentityDecision, read: IdentityDecision | UndeterminedDecision
) -> IdentityDecision | UndeterminedDecision:
    """Return the result of the policies, unless the simulator contradicts it."""
    possible = frozenset({read}) if isinstance(read, IdentityDecision) else read.possible
    if simulated in possible:
        return read
    return UndeterminedDecision(
        possible | {simulated},
        f"IAM's simulation returns {simulated}, but the policies themselves evaluate to "
        f"{' or '.join(sorted(possible))}",
    )
