# ruff: noqa: ANN401 - requests and answers are what AWS takes and gives

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

    from sandbox import Sandbox

KEY = "arn:aws:kms:us-east-1:111122223333:key/0f0f0f0f-0000-4000-8000-000000000000"
OTHER = "arn:aws:kms:us-east-1:111122223333:key/ffffffff-0000-4000-8000-000000000000"
numbers = count(1)


@pytest.fixture
def iam(sandbox: Sandbox) -> IAMClient:
    client: IAMClient = sandbox.client("iam")
    return client


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def a_role(iam: IAMClient, *statements: dict[str, Any], **said: Any) -> str:
    name = f"simulated-{next(numbers)}"
    trust = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **said)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return arn


def on_key(effect: str = "Allow", key: str = KEY, **said: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "kms:GenerateDataKey", "Resource": key, **said}


def simulated(iam: IAMClient, role: str, key: str = KEY, **said: Any) -> Any:
    response = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["kms:GenerateDataKey"], ResourceArns=[key], **said
    )
    (result,) = response["EvaluationResults"]
    return result


def decision(iam: IAMClient, role: str, **said: Any) -> str:
    found: str = simulated(iam, role, **said)["EvalDecision"]
    return found


def test_decision_is_allowed_implicit_deny_or_explicit_deny(iam: IAMClient) -> None:
    assert decision(iam, a_role(iam, on_key())) == "allowed"
    assert decision(iam, a_role(iam)) == "implicitDeny"
    assert decision(iam, a_role(iam, on_key(key=OTHER))) == "implicitDeny"
    assert decision(iam, a_role(iam, on_key(), on_key("Deny"))) == "explicitDeny"


def test_role_with_a_path_is_found(iam: IAMClient) -> None:
    assert decision(iam, a_role(iam, on_key(), Path="/emr/")) == "allowed"


def test_managed_policy_is_evaluated(iam: IAMClient) -> None:
    role = a_role(iam)
    policy = iam.create_policy(PolicyName="managed", PolicyDocument=document(on_key()))
    iam.attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=policy["Policy"]["Arn"])

    assert decision(iam, role) == "allowed"


def test_boundary_limits_the_identity_policies(iam: IAMClient) -> None:
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=document(on_key(key=OTHER)))
    role = a_role(iam, on_key(key="*"), PermissionsBoundary=limit["Policy"]["Arn"])
    detail = "PermissionsBoundaryDecisionDetail"

    withheld, allowed = simulated(iam, role), simulated(iam, role, key=OTHER)

    assert (withheld["EvalDecision"], withheld[detail]) == (
        "implicitDeny",
        {"AllowedByPermissionsBoundary": False},
    )
    assert (allowed["EvalDecision"], allowed[detail]) == (
        "allowed",
        {"AllowedByPermissionsBoundary": True},
    )
    assert allowed["ResourceSpecificResults"][0][detail] == allowed[detail]
    assert detail not in simulated(iam, a_role(iam, on_key()))


def test_action_has_one_result_with_one_for_each_resource_in_it(iam: IAMClient) -> None:
    """The top-level result is the most restrictive one.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    results = iam.simulate_principal_policy(
        PolicySourceArn=a_role(iam, on_key()),
        ActionNames=["kms:GenerateDataKey", "kms:DescribeKey"],
        ResourceArns=[KEY, OTHER],
    )["EvaluationResults"]

    assert [
        (
            result["EvalActionName"],
            result["EvalDecision"],
            [
                (each["EvalResourceName"], each["EvalResourceDecision"])
                for each in result["ResourceSpecificResults"]
            ],
        )
        for result in results
    ] == [
        (
            "kms:GenerateDataKey",
            "implicitDeny",
            [(KEY, "allowed"), (OTHER, "implicitDeny")],
        ),
        (
            "kms:DescribeKey",
            "implicitDeny",
            [(KEY, "implicitDeny"), (OTHER, "implicitDeny")],
        ),
    ]


def test_missing_keys_include_those_of_statements_about_other_actions(iam: IAMClient) -> None:
    """AWS lists every key that the identity policies refer to, for any simulated action.

    https://github.com/boto/boto3/issues/3111
    """
    other = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }

    result = simulated(iam, a_role(iam, on_key(), other))

    assert result["EvalDecision"] == "allowed"
    assert result["MissingContextValues"] == ["iam:PassedToService"]
    [specific] = result["ResourceSpecificResults"]
    assert specific["MissingContextValues"] == ["iam:PassedToService"]


def test_missing_keys_exclude_those_of_a_boundary(iam: IAMClient) -> None:
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    limit = iam.create_policy(
        PolicyName="conditional", PolicyDocument=document(on_key(Condition=condition))
    )
    role = a_role(iam, on_key(), PermissionsBoundary=limit["Policy"]["Arn"])

    result = simulated(iam, role)

    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", [])


def test_region_condition_is_evaluated_with_the_given_region(iam: IAMClient) -> None:
    """When a context key is evaluated, the given value is used.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}
    role = a_role(iam, on_key(), on_key("Deny", Condition=elsewhere))

    def in_region(region: str) -> str:
        record = {
            "ContextKeyName": "aws:RequestedRegion",
            "ContextKeyValues": [region],
            "ContextKeyType": "string",
        }
        return decision(iam, role, ContextEntries=[record])

    assert [in_region("eu-west-1"), in_region("eu-west-2")] == ["allowed", "explicitDeny"]


def test_missing_keys_are_listed_and_given_ones_are_evaluated(iam: IAMClient) -> None:
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    role = a_role(iam, on_key(Condition=via))

    missing = simulated(iam, role)
    given = simulated(
        iam,
        role,
        ContextEntries=[
            {
                "ContextKeyName": "kms:ViaService",
                "ContextKeyValues": ["s3.us-east-1.amazonaws.com"],
                "ContextKeyType": "string",
            }
        ],
    )

    assert (missing["EvalDecision"], missing["MissingContextValues"]) == (
        "implicitDeny",
        ["kms:ViaService"],
    )
    assert (given["EvalDecision"], given["MissingContextValues"]) == ("allowed", [])


def test_unknown_role_is_no_such_entity(iam: IAMClient) -> None:
    with pytest.raises(ClientError) as caught:
        decision(iam, "arn:aws:iam::111122223333:role/missing")

    assert caught.value.response["Error"]["Code"] == "NoSuchEntity"
