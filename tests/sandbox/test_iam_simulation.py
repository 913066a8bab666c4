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


def test_the_three_decisions(iam: IAMClient) -> None:
    assert decision(iam, a_role(iam, on_key())) == "allowed"
    assert decision(iam, a_role(iam)) == "implicitDeny"
    assert decision(iam, a_role(iam, on_key(key=OTHER))) == "implicitDeny"
    assert decision(iam, a_role(iam, on_key(), on_key("Deny"))) == "explicitDeny"


def test_a_role_with_a_path_is_found(iam: IAMClient) -> None:
    assert decision(iam, a_role(iam, on_key(), Path="/emr/")) == "allowed"


def test_a_managed_policy_counts(iam: IAMClient) -> None:
    role = a_role(iam)
    policy = iam.create_policy(PolicyName="managed", PolicyDocument=document(on_key()))
    iam.attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=policy["Policy"]["Arn"])

    assert decision(iam, role) == "allowed"


def test_a_boundary_limits(iam: IAMClient) -> None:
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=document(on_key(key=OTHER)))
    role = a_role(iam, on_key(key="*"), PermissionsBoundary=limit["Policy"]["Arn"])

    assert decision(iam, role) == "implicitDeny"
    assert decision(iam, role, key=OTHER) == "allowed"


def test_every_pair_of_action_and_resource_is_simulated(iam: IAMClient) -> None:
    results = iam.simulate_principal_policy(
        PolicySourceArn=a_role(iam, on_key()),
        ActionNames=["kms:GenerateDataKey", "kms:DescribeKey"],
        ResourceArns=[KEY, OTHER],
    )["EvaluationResults"]

    assert [(r["EvalActionName"], r["EvalResourceName"], r["EvalDecision"]) for r in results] == [
        ("kms:GenerateDataKey", KEY, "allowed"),
        ("kms:GenerateDataKey", OTHER, "implicitDeny"),
        ("kms:DescribeKey", KEY, "implicitDeny"),
        ("kms:DescribeKey", OTHER, "implicitDeny"),
    ]


def test_missing_context_is_named_and_given_context_counts(iam: IAMClient) -> None:
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


def test_an_unknown_role_is_no_such_entity(iam: IAMClient) -> None:
    with pytest.raises(ClientError) as caught:
        decision(iam, "arn:aws:iam::111122223333:role/nobody")

    assert caught.value.response["Error"]["Code"] == "NoSuchEntity"
