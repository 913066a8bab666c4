from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

    from sandbox import Sandbox

type Find = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def arrived(sandbox: Sandbox, eventually: Callable[..., Any]) -> Find:
    """Waits for the event whose JSON contains a given text."""
    sqs: SQSClient = sandbox.client("sqs")
    queue = sqs.create_queue(QueueName="cloudtrail-events")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    events = sandbox.client("events")
    pattern = json.dumps({"detail-type": ["AWS API Call via CloudTrail"]})
    events.put_rule(Name="cloudtrail", EventPattern=pattern)
    events.put_targets(Rule="cloudtrail", Targets=[{"Id": "queue", "Arn": arn}])
    seen: list[str] = []

    def find(text: str) -> dict[str, Any]:
        def look() -> list[str]:
            received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            seen.extend(message["Body"] for message in received.get("Messages", []))
            return [body for body in seen if text in body]

        event: dict[str, Any] = json.loads(eventually(look)[0])
        return event

    return find


def test_a_launch_tells_who_launched_what(
    sandbox: Sandbox, arrived: Find, role: Callable[..., dict[str, str]]
) -> None:
    credentials = role({"Effect": "Allow", "Action": "elasticmapreduce:*", "Resource": "*"})
    emr = sandbox.client("emr", **credentials)

    cluster = emr.run_job_flow(Name="etl", LogUri="s3://b", Instances={"InstanceCount": 1})

    event = arrived(f'"jobFlowId": "{cluster["JobFlowId"]}"')
    detail = event["detail"]
    assert event["source"] == "aws.elasticmapreduce"
    assert (detail["eventSource"], detail["eventName"]) == (
        "elasticmapreduce.amazonaws.com",
        "RunJobFlow",
    )
    assert detail["requestParameters"]["logUri"] == "s3://b"
    assert detail["userIdentity"]["type"] == "AssumedRole"
    assert ":assumed-role/role-" in detail["userIdentity"]["arn"]
    assert "errorCode" not in detail


def test_a_failed_launch_carries_its_error(sandbox: Sandbox, arrived: Find) -> None:
    with contextlib.suppress(ClientError):
        sandbox.client("emr").run_job_flow(Name="failed", LogUri="file:///x", Instances={})

    detail = arrived("file:///x")["detail"]
    assert detail["errorCode"] == "ValidationException"
    assert detail["responseElements"] is None


def test_a_key_that_is_disabled_is_named_as_the_caller_typed_it(
    sandbox: Sandbox, arrived: Find, key: str
) -> None:
    key_id = key.rpartition("/")[2]

    sandbox.client("kms").disable_key(KeyId=key_id)

    event = arrived(key_id)
    assert event["source"] == "aws.kms"
    assert event["detail"]["eventName"] == "DisableKey"
    assert event["detail"]["requestParameters"] == {"keyId": key_id}


def test_an_alias_is_named_with_the_key_that_it_names_or_named(
    sandbox: Sandbox, arrived: Find, key: str
) -> None:
    kms = sandbox.client("kms")
    other = kms.create_key()["KeyMetadata"]["Arn"]
    alias = f"alias/of-{key[-12:]}"
    alias_arn = f"{key.rpartition(':')[0]}:{alias}"

    kms.create_alias(AliasName=alias, TargetKeyId=key)
    kms.update_alias(AliasName=alias, TargetKeyId=other)
    kms.delete_alias(AliasName=alias)

    for call, target in (("CreateAlias", key), ("UpdateAlias", other), ("DeleteAlias", other)):
        event = arrived(f'"{call}"')
        assert event["detail"]["requestParameters"]["aliasName"] == alias
        assert event["detail"]["responseElements"] == {"keyId": target}
        assert [each["ARN"] for each in event["detail"]["resources"]] == [alias_arn, target]


def test_an_object_that_gets_another_key_is_named(
    sandbox: Sandbox, arrived: Find, bucket: str, key: str
) -> None:
    s3 = sandbox.client("s3")
    s3.put_object(Bucket=bucket, Key="a b/log", Body=b"x")
    for name in ("none-such", "a b/log"):
        with contextlib.suppress(ClientError):
            s3.update_object_encryption(
                Bucket=bucket, Key=name, ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}}
            )

    event = arrived("UpdateObjectEncryption")
    assert (event["source"], event["detail"]["eventSource"]) == ("aws.s3", "s3.amazonaws.com")
    assert event["detail"]["requestParameters"] == {
        "bucketName": bucket,
        "encryption": "",
        "key": "a b/log",
    }
    assert event["detail"]["resources"][1]["ARN"] == f"arn:aws:s3:::{bucket}"
