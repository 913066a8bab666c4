"""SimulatePrincipalPolicy evaluates every resource and boundaries. Upstream: yes.

AWS returns one result per action, the most restrictive, with one for each resource in it. It lists
the context keys that identity policies refer to and the request does not supply, including those in
statements about other actions, but none of a boundary's. MiniStack simulates only the first
resource, finds no role with a path, ignores boundaries, and never lists missing context keys.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
https://github.com/boto/boto3/issues/3111
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

from sandbox.emulator_patches.hooks import Response, account_and_region, part

DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
LESS_AND_LESS = ("allowed", "implicitDeny", "explicitDeny")
"""The decisions; the most restrictive comes last."""
GATHERERS = {
    "role": ("_roles", "_gather_role_policies"),
    "user": ("_users", "_gather_user_policies"),
}
"""MiniStack's store of each kind of principal, and the function that reads its policies."""
KNOWN_KEYS = (
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principaltype",
    "aws:resourceaccount",
)
"""Context keys that the simulation derives from the principal and the resource."""


def members(request: Mapping[str, Any], name: str) -> Iterator[str]:
    """The values of a list parameter of the Query protocol."""
    read = part("services.iam", "_p")
    for number in count(1):
        if not (value := read(request, f"{name}.member.{number}")):
            return
        yield value


def context(request: Mapping[str, Any]) -> dict[str, list[str]]:
    """The context keys of a request, in lower case, with their values."""
    read = part("services.iam", "_p")
    given: dict[str, list[str]] = {}
    for number in count(1):
        record = f"ContextEntries.member.{number}"
        if not (key := read(request, f"{record}.ContextKeyName")):
            break
        given[key.lower()] = list(members(request, f"{record}.ContextKeyValues"))
    return given


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or role: its identity policies, its boundary, and the context of the simulation."""

    arn: str
    documents: list[Any]
    boundary: list[Any]
    given: Mapping[str, list[str]]

    def decision(self, action: str, resource: str) -> str:
        """IAM's decision about `action` on `resource` for this principal."""
        return self._evaluate(action, resource, self.documents, *self.boundary)

    def within_boundary(self, action: str, resource: str) -> bool | None:
        """Whether the boundary allows it; None if there is no boundary."""
        if not self.boundary:
            return None
        return all(
            self._evaluate(action, resource, documents) == "allowed" for documents in self.boundary
        )

    def _evaluate(self, action: str, resource: str, *policies: list[Any]) -> str:
        account, region = account_and_region()
        given = self.given
        asked = part("core.iam_evaluator", "EvalContext")(
            principal_arn=self.arn,
            principal_type="AssumedRole" if ":role/" in self.arn else "User",
            principal_account=account,
            action=action,
            resource_arn=resource,
            region=given.get("aws:requestedregion", [region])[0],
            source_ip=given["aws:sourceip"][0] if "aws:sourceip" in given else None,
            secure_transport=given.get("aws:securetransport") == ["true"],
            service_context={
                key: values[0] if len(values) == 1 else values for key, values in given.items()
            },
        )
        return DECISIONS[part("core.iam_evaluator", "evaluate")(asked, *policies).decision]

    @property
    def missing_keys(self) -> list[str]:
        """The context keys that the identity policies refer to and the request does not supply."""
        keys = {
            key
            for statements in self.documents
            for statement in statements
            for condition in statement.conditions.values()
            for key in condition
        }
        return sorted(key for key in keys if key.lower() not in (*self.given, *KNOWN_KEYS))


def principal(arn: str, given: Mapping[str, list[str]]) -> Principal | None:
    """The user or role with this ARN, or None if there is none."""
    account, _ = account_and_region()
    kind, _, path = arn.rpartition(":")[2].partition("/")
    if kind not in GATHERERS:
        return None
    name = path.rpartition("/")[2]
    store, gather = GATHERERS[kind]
    entities = part("services.iam", store)
    if entities.get(name, {}).get("Arn") != arn:
        return None
    return Principal(
        arn,
        part("core.iam_evaluator", gather)(name, account),
        part("core.iam_evaluator", "_permissions_boundary")(entities, name, account),
        given,
    )


def result(found: Principal, action: str, resources: list[str]) -> str:
    """The evaluation result of an action, as XML."""
    decisions = {resource: found.decision(action, resource) for resource in resources}
    within = {resource: found.within_boundary(action, resource) for resource in resources}
    missing = "".join(f"<member>{escape(key)}</member>" for key in found.missing_keys)
    missing = f"<MatchedStatements/><MissingContextValues>{missing}</MissingContextValues>"
    specific = "".join(
        f"<member><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalResourceDecision>{decision}</EvalResourceDecision>{missing}"
        f"{boundary_detail(within[resource])}</member>"
        for resource, decision in decisions.items()
    )
    whole = None if None in within.values() else all(within.values())
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName>"
        "<EvalResourceName>*</EvalResourceName>"
        f"<EvalDecision>{max(decisions.values(), key=LESS_AND_LESS.index)}</EvalDecision>"
        f"{missing}{boundary_detail(whole)}"
        f"<ResourceSpecificResults>{specific}</ResourceSpecificResults></member>"
    )


def boundary_detail(allowed: bool | None) -> str:  # noqa: FBT001 - there may be no boundary
    """The decision of a boundary, as XML."""
    if allowed is None:
        return ""
    return (
        "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
        f"{str(allowed).lower()}"
        "</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
    )


def simulate(request: Mapping[str, Any]) -> Response:
    """Handle SimulatePrincipalPolicy."""
    arn = part("services.iam", "_p")(request, "PolicySourceArn")
    found = principal(arn, context(request))
    if found is None:
        message = f"The entity {arn} cannot be found."
        error: Response = part("services.iam", "_error")(404, "NoSuchEntity", message, ns="iam")
        return error
    resources = list(members(request, "ResourceArns")) or ["*"]
    results = "".join(
        result(found, action, resources) for action in members(request, "ActionNames")
    )
    response: Response = part("services.iam", "_xml")(
        200,
        "SimulatePrincipalPolicyResponse",
        "<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>"
        f"<EvaluationResults>{results}</EvaluationResults></SimulatePrincipalPolicyResult>",
        ns="iam",
    )
    return response


def install() -> None:
    """Set the action's handler in MiniStack's dictionary of IAM handlers."""
    part("services.iam", "_IAM_HANDLERS")["SimulatePrincipalPolicy"] = simulate
