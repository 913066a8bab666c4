"""Batching windows apply only in an account that was started with them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from tests.sandbox.functions import make_function

pytestmark = pytest.mark.xdist_group("batches")

type Eventually = Callable[..., Any]
CODE = """
import json
def handler(event, context):
    print(json.dumps([record["body"] for record in event["Records"]]))
"""


def batches(
    account: Sandbox, eventually: Eventually, window: int, batch_size: int, messages: int
) -> list[list[str]]:
    """Send messages to a queue one after the other; return the batches that its function gets."""
    sqs, function, logs = (account.client(name) for name in ("sqs", "lambda", "logs"))
    name = f"taker-{window}-{batch_size}"
    logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    make_function(account, CODE, name, Role=role(account, name))
    function.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=attributes["QueueArn"],
        BatchSize=batch_size,
        MaximumBatchingWindowInSeconds=window,
    )
    for number in range(messages):
        sqs.send_message(QueueUrl=url, MessageBody=f"{number}")

    def logged() -> list[list[str]]:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        found: list[list[str]] = [
            json.loads(each["message"]) for each in events if each["message"].startswith("[")
        ]
        return found if sum(map(len, found)) == messages else []

    taken: list[list[str]] = eventually(logged)
    return taken


def role(account: Sandbox, name: str) -> str:
    iam = account.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    arn: str = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )["Role"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)
    return arn


def test_messages_are_gathered_until_the_window_has_passed_or_the_batch_is_full(
    eventually: Eventually,
) -> None:
    with Sandbox.start(batching_windows=True) as account:
        assert [len(each) for each in batches(account, eventually, 2, 50, 25)] == [25]
        full = batches(account, eventually, 2, 10, 12)

    assert max(map(len, full)) == 10


def test_without_batching_windows_the_first_message_is_taken_at_once(
    sandbox: Sandbox, eventually: Eventually
) -> None:
    assert len(batches(sandbox, eventually, 3, 50, 12)) > 1
