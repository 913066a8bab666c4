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


def test_launch_event_contains_the_caller_and_the_request(
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


def test_event_of_a_failed_launch_contains_the_error(sandbox: Sandbox, arrived: Find) -> None:
    with contextlib.suppress(ClientError):
        sandbox.client("emr").run_job_flow(Name="failed", LogUri="file:///x", Instances={})

    detail = arrived("file:///x")["detail"]
    assert detail["errorCode"] == "ValidationException"
    assert detail["responseElements"] is None


def test_disable_key_event_contains_the_key_as_the_caller_named_it(
    sandbox: Sandbox, arrived: Find, key: str
) -> None:
    key_id = key.rpartition("/")[2]

    sandbox.client("kms").disable_key(KeyId=key_id)

    event = arrived(key_id)
    assert event["source"] == "aws.kms"
    assert event["detail"]["eventName"] == "DisableKey"
    assert event["detail"]["requestParameters"] == {"keyId": key_id}


def test_alias_event_contains_the_current_or_previous_key(
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


def test_update_object_encryption_event_contains_the_object(
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
