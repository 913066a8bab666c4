"""Faults affect the calls of roles and functions, never those of the root user."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox
from sandbox.faults import Crash, Fault
from sandbox.faults.fault import DELIVERY
from sandbox.faults.injecting import Faults
from tests.sandbox.functions import make_function

type Eventually = Callable[..., Any]

pytestmark = pytest.mark.xdist_group("faults")

TRUST = {
    "Effect": "Allow",
    "Principal": {"AWS": "*", "Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
CODE = """
import boto3, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="here")
"""


@pytest.fixture(scope="module")
def account() -> Iterator[Sandbox]:
    with Sandbox.start(faults=True, retry_seconds=0.5) as started:
        yield started


@pytest.fixture
def faults(account: Sandbox) -> Iterator[Faults]:
    faults = Faults(account.endpoint)
    yield faults
    faults.inject()


@pytest.fixture(scope="module")
def role_arn(account: Sandbox) -> str:
    iam = account.client("iam")
    arn: str = iam.create_role(RoleName="caller", AssumeRolePolicyDocument=document(TRUST))["Role"][
        "Arn"
    ]
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_role_policy(RoleName="caller", PolicyName="all", PolicyDocument=document(allow))
    return arn


@pytest.fixture(scope="module")
def as_role(account: Sandbox, role_arn: str) -> Callable[[str], Any]:
    session = account.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")
    given = session["Credentials"]

    def client(service: str) -> Any:  # noqa: ANN401 - boto3's own
        return account.client(
            service,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    return client


@pytest.fixture
def queue(account: Sandbox) -> Iterator[str]:
    sqs = account.client("sqs")
    url: str = sqs.create_queue(QueueName="here")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def length(account: Sandbox, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    answer = account.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(answer["Attributes"][name])


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("sns", "Publish", {"TopicArn": "arn:aws:sns:us-east-1:111122223333:t", "Message": "m"}),
        ("dynamodb", "PutItem", {"TableName": "t", "Item": {"pk": {"S": "a"}}}),
        ("s3", "HEAD /logs/*", {"Bucket": "logs", "Key": "a"}),
        ("scheduler", "POST /schedules/*", None),
    ],
)
def test_injected_error_is_returned(
    faults: Faults,
    as_role: Callable[[str], Any],
    service: str,
    operation: str,
    request_: dict[str, Any] | None,
) -> None:
    client = as_role(service)
    calls: dict[str, Callable[[], object]] = {
        "sns": lambda: client.publish(**request_ or {}),
        "dynamodb": lambda: client.put_item(**request_ or {}),
        "s3": lambda: client.head_object(**request_ or {}),
        "scheduler": lambda: client.create_schedule(
            Name="s",
            ScheduleExpression="at(2999-12-31T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:sqs:us-east-1:111122223333:q",
                "RoleArn": "arn:aws:iam::1:role/r",
            },
        ),
    }
    with (
        faults.injected(Fault(service, operation, status=503, code="Unavailable")),
        pytest.raises(ClientError) as caught,
    ):
        calls[service]()

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    if service != "s3":  # the response to HEAD has no body for the code
        assert caught.value.response["Error"]["Code"] == "Unavailable"


def test_root_user_and_other_operations_are_not_affected(
    account: Sandbox, faults: Faults, as_role: Callable[[str], Any], queue: str
) -> None:
    with faults.injected(Fault("sqs", "SendMessage", status=500)):
        account.client("sqs").send_message(QueueUrl=queue, MessageBody="here")
        as_role("sqs").get_queue_attributes(QueueUrl=queue)

    as_role("sqs").send_message(QueueUrl=queue, MessageBody="here")

    assert length(account, queue) == 2


def test_call_is_executed_several_times_and_its_response_delayed(
    account: Sandbox, faults: Faults, as_role: Callable[[str], Any], queue: str
) -> None:
    before, began = faults.calls(), time.monotonic()
    with faults.injected(Fault("sqs", "SendMessage", times=3, delay=0.5)):
        as_role("sqs").send_message(QueueUrl=queue, MessageBody="here")

    assert length(account, queue) == 3
    assert time.monotonic() - began >= 0.5
    assert faults.calls() == before + 1


@pytest.fixture
def function(account: Sandbox, role_arn: str, queue: str) -> Iterator[None]:
    """A function that EventBridge invokes for events with source `test`."""
    functions, events = account.client("lambda"), account.client("events")
    make_function(
        account,
        CODE,
        "sender",
        Role=role_arn,
        Environment={"Variables": {"QUEUE": queue}},
        Timeout=20,
    )
    arn = functions.get_function(FunctionName="sender")["Configuration"]["FunctionArn"]
    functions.add_permission(
        FunctionName="sender",
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )
    events.put_rule(Name="test", EventPattern=json.dumps({"source": ["test"]}))
    events.put_targets(Rule="test", Targets=[{"Id": "sender", "Arn": arn}])
    yield
    events.remove_targets(Rule="test", Ids=["sender"])
    events.delete_rule(Name="test")
    functions.delete_function(FunctionName="sender")


def send_event(account: Sandbox) -> None:
    record = {"Source": "test", "DetailType": "Test", "Detail": "{}"}
    account.client("events").put_events(Entries=[record])


@pytest.mark.usefixtures("function")
@pytest.mark.parametrize("crash", Crash)
def test_killed_function_is_invoked_again(
    account: Sandbox, faults: Faults, queue: str, eventually: Eventually, crash: Crash
) -> None:
    messages = {Crash.BEFORE: 1, Crash.AFTER: 2}[crash]
    before = faults.calls()
    with faults.injected(Fault("sqs", "SendMessage", crash=crash)):
        send_event(account)
        eventually(lambda: faults.calls() > before)

    eventually(lambda: length(account, queue) == messages)
    time.sleep(2)
    assert length(account, queue) == messages


@pytest.mark.usefixtures("function")
def test_delivery_is_repeated(
    account: Sandbox, faults: Faults, queue: str, eventually: Eventually
) -> None:
    with faults.injected(Fault(DELIVERY, times=4, within=0.5)):
        send_event(account)
        eventually(lambda: length(account, queue) == 4)
