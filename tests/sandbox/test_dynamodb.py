"""MiniStack's DynamoDB, unpatched: the behaviour that the findings table relies on."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox

type Eventually = Callable[..., Any]
type Role = Callable[..., dict[str, str]]

OPEN_FIRST = {
    "IndexName": "open",
    "KeySchema": [
        {"AttributeName": "opened", "KeyType": "HASH"},
        {"AttributeName": "seen", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}
TEMPLATE = {
    "Resources": {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"}
                    for name in ("pk", "sk", "opened", "seen")
                ],
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "GlobalSecondaryIndexes": [OPEN_FIRST],
            },
        }
    },
    "Outputs": {
        "Name": {"Value": {"Ref": "Table"}},
        "Arn": {"Value": {"Fn::GetAtt": ["Table", "Arn"]}},
    },
}


@pytest.fixture(scope="module")
def table(sandbox: Sandbox, eventually: Eventually) -> dict[str, str]:
    """The name and the ARN of a stack's table."""
    sandbox.client("cloudformation").create_stack(
        StackName="table", TemplateBody=json.dumps(TEMPLATE)
    )
    eventually(lambda: sandbox.stack_status("table") == "CREATE_COMPLETE")
    return sandbox.outputs("table")


def item(pk: str, sk: str, **more: str) -> dict[str, dict[str, str]]:
    said = {"pk": pk, "sk": sk} | more
    return {name: {"S": value} for name, value in said.items()}


def on_open(table: dict[str, str]) -> dict[str, Any]:
    return {
        "TableName": table["Name"],
        "IndexName": "open",
        "KeyConditionExpression": "opened = :yes",
        "ExpressionAttributeValues": {":yes": {"S": "yes"}},
    }


def of_cluster(table: dict[str, str], cluster: str) -> dict[str, Any]:
    return {
        "TableName": table["Name"],
        "KeyConditionExpression": "pk = :c",
        "ExpressionAttributeValues": {":c": {"S": cluster}},
    }


def test_index_contains_only_items_with_its_keys(sandbox: Sandbox, table: dict[str, str]) -> None:
    dynamodb = sandbox.client("dynamodb")
    put = {"TableName": table["Name"]}
    dynamodb.put_item(**put, Item=item("j-1", "002", opened="yes", seen="2"))
    dynamodb.put_item(**put, Item=item("j-1", "004"))
    dynamodb.put_item(**put, Item=item("j-2", "002", opened="yes", seen="1"))

    found = dynamodb.query(**on_open(table))["Items"]

    assert [each["pk"]["S"] for each in found] == ["j-2", "j-1"]
    assert len(dynamodb.query(**of_cluster(table, "j-1"))["Items"]) == 2
    dynamodb.update_item(
        **put,
        Key=item("j-2", "002"),
        UpdateExpression="REMOVE opened",
    )
    found = dynamodb.query(**on_open(table))["Items"]
    assert [each["pk"]["S"] for each in found] == ["j-1"]


def test_only_one_of_two_conditional_writes_succeeds(
    sandbox: Sandbox, table: dict[str, str]
) -> None:
    dynamodb = sandbox.client("dynamodb")
    first = {
        "TableName": table["Name"],
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    dynamodb.put_item(**first, Item=item("j-3", "002", seen="1"))

    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as refused:
        dynamodb.put_item(**first, Item=item("j-3", "002", seen="2"))

    assert refused.value.response["Item"] == item("j-3", "002", seen="1")
    next_one = {
        "TableName": table["Name"],
        "ConditionExpression": "seen = :old",
        "Item": item("j-3", "002", seen="2"),
    }
    dynamodb.put_item(**next_one, ExpressionAttributeValues={":old": {"S": "1"}})
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(**next_one, ExpressionAttributeValues={":old": {"S": "1"}})
    read = dynamodb.get_item(TableName=table["Name"], Key=item("j-3", "002"), ConsistentRead=True)
    assert read["Item"]["seen"]["S"] == "2"


def test_each_action_requires_permission_on_its_table_or_index(
    sandbox: Sandbox, table: dict[str, str], role: Role
) -> None:
    def client(action: str, resource: str) -> Any:  # noqa: ANN401 - boto3's
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        return sandbox.client("dynamodb", **role(statement))

    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "GetItem": ("get_item", {"TableName": table["Name"], "Key": item("j-9", "002")}),
        "PutItem": ("put_item", {"TableName": table["Name"], "Item": item("j-9", "002")}),
        "UpdateItem": (
            "update_item",
            {
                "TableName": table["Name"],
                "Key": item("j-9", "002"),
                "UpdateExpression": "SET seen = :s",
                "ExpressionAttributeValues": {":s": {"S": "1"}},
            },
        ),
        "Query": ("query", of_cluster(table, "j-9")),
    }
    for action, (call, request) in calls.items():
        assert getattr(client(f"dynamodb:{action}", table["Arn"]), call)(**request)
        with pytest.raises(ClientError, match=rf"AccessDenied.*dynamodb:{action}"):
            getattr(client(f"dynamodb:{action}", f"{table['Arn']}-of-another"), call)(**request)
        with pytest.raises(ClientError, match=rf"AccessDenied.*dynamodb:{action}"):
            getattr(client("dynamodb:DescribeTable", table["Arn"]), call)(**request)

    of_index = client("dynamodb:Query", f"{table['Arn']}/index/open")
    assert of_index.query(**on_open(table))
    with pytest.raises(ClientError, match=r"AccessDenied.*dynamodb:Query"):
        of_index.query(**of_cluster(table, "j-9"))
    with pytest.raises(ClientError, match=r"AccessDenied.*dynamodb:Query"):
        client("dynamodb:Query", table["Arn"]).query(**on_open(table))


def test_transaction_requires_permission_for_each_of_its_writes(
    sandbox: Sandbox, table: dict[str, str], role: Role
) -> None:
    statement = {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": table["Arn"]}
    writer = sandbox.client("dynamodb", **role(statement))
    put = {"Put": {"TableName": table["Name"], "Item": item("j-8", "002")}}
    check = {
        "ConditionCheck": {
            "TableName": table["Name"],
            "Key": item("j-8", "004"),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }

    assert writer.transact_write_items(TransactItems=[put])
    with pytest.raises(ClientError, match="dynamodb:ConditionCheckItem"):
        writer.transact_write_items(TransactItems=[put, check])
