"""SimulatePrincipalPolicy: every pair of action and resource, boundaries, and missing context.

MiniStack simulates the first resource only, knows no role with a path and no boundary, and never
says which context keys a policy asks for.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

from sandbox.corrections.hooks import Response, account_and_region, part

DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
GATHERERS = {
    "role": ("_roles", "_gather_role_policies"),
    "user": ("_users", "_gather_user_policies"),
}
"""Where MiniStack keeps a kind of principal, and what reads its policies."""
KNOWN_KEYS = (
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principaltype",
    "aws:resourceaccount",
)
"""Context keys that the simulation knows by itself, from the principal and the resource."""


def members(request: Mapping[str, Any], name: str) -> Iterator[str]:
    """The values of a list parameter of the Query protocol."""
    read = part("services.iam", "_p")
    for number in count(1):
        if not (value := read(request, f"{name}.member.{number}")):
            return
        yield value


def context(request: Mapping[str, Any]) -> dict[str, list[str]]:
    """The context keys that a request gives, in lower case, with their values."""
    read = part("services.iam", "_p")
    given: dict[str, list[str]] = {}
    for number in count(1):
        entry = f"ContextEntries.member.{number}"
        if not (key := read(request, f"{entry}.ContextKeyName")):
            break
        given[key.lower()] = list(members(request, f"{entry}.ContextKeyValues"))
    return given


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or role: its identity policies, its boundary, and the context of the simulation."""

    arn: str
    documents: list[Any]
    boundary: list[Any]
    given: Mapping[str, list[str]]

    def decision(self, action: str, resource: str) -> str:
        """Whether the principal may do `action` on `resource`, in IAM's words."""
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
        outcome = part("core.iam_evaluator", "evaluate")(asked, self.documents, *self.boundary)
        return DECISIONS[outcome.decision]

    def missing_keys(self, action: str, resource: str) -> list[str]:
        """The context keys that a statement about the two asks for and nobody gave."""
        acts = part("core.iam_evaluator", "_action_matches")
        concerns = part("core.iam_evaluator", "_resource_matches")
        keys = {
            key
            for documents in (self.documents, *self.boundary)
            for statements in documents
            for statement in statements
            if acts(action, statement.actions, statement.not_actions)
            and concerns(resource, statement.resources, statement.not_resources)
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


def result(found: Principal, action: str, resource: str) -> str:
    """One evaluation result, as XML."""
    missing = "".join(
        f"<member>{escape(key)}</member>" for key in found.missing_keys(action, resource)
    )
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName>"
        f"<EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{found.decision(action, resource)}</EvalDecision>"
        f"<MatchedStatements/><MissingContextValues>{missing}</MissingContextValues></member>"
    )


def simulate(request: Mapping[str, Any]) -> Response:
    """Answer SimulatePrincipalPolicy."""
    arn = part("services.iam", "_p")(request, "PolicySourceArn")
    found = principal(arn, context(request))
    if found is None:
        message = f"The entity {arn} cannot be found."
        error: Response = part("services.iam", "_error")(404, "NoSuchEntity", message, ns="iam")
        return error
    resources = list(members(request, "ResourceArns")) or ["*"]
    results = "".join(
        result(found, action, resource)
        for action in members(request, "ActionNames")
        for resource in resources
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
    """Answer the action in MiniStack's dictionary of IAM handlers."""
    part("services.iam", "_IAM_HANDLERS")["SimulatePrincipalPolicy"] = simulate
