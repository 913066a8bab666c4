import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox import Sandbox

type Arrived = Callable[[str], list[dict[str, Any]]]

NAME = "/emr-log-guard/demo/policy"


@pytest.fixture
def arrived(sandbox: Sandbox, eventually: Callable[..., Any]) -> Iterator[Arrived]:
    """Waits for an operation's event and returns what a rule for one parameter matched."""
    sqs, events = sandbox.client("sqs"), sandbox.client("events")
    queue = sqs.create_queue(QueueName="parameter-events")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    pattern = {
        "source": ["aws.ssm"],
        "detail-type": ["Parameter Store Change"],
        "detail": {"name": [NAME], "operation": ["Create", "Update", "Delete"]},
    }
    events.put_rule(Name="parameter", EventPattern=json.dumps(pattern))
    arn = attributes["Attributes"]["QueueArn"]
    events.put_targets(Rule="parameter", Targets=[{"Id": "queue", "Arn": arn}])
    seen: list[dict[str, Any]] = []

    def until(operation: str) -> list[dict[str, Any]]:
        def arrived() -> bool:
            received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            seen.extend(json.loads(message["Body"]) for message in received.get("Messages", []))
            return operation in operations(seen)

        eventually(arrived)
        return seen

    yield until
    sqs.delete_queue(QueueUrl=queue)


def operations(events: list[dict[str, Any]]) -> list[str]:
    return [event["detail"]["operation"] for event in events]


def test_each_change_of_a_parameter_sends_an_event_without_its_value(
    sandbox: Sandbox, arrived: Arrived
) -> None:
    ssm = sandbox.client("ssm")
    ssm.put_parameter(Name="/emr-log-guard/other", Value="x", Type="String")
    ssm.put_parameter(Name=NAME, Value="secret", Type="String", Description="the policy")
    ssm.put_parameter(Name=NAME, Value="secret", Overwrite=True)
    ssm.delete_parameters(Names=[NAME, "/none"])

    events = arrived("Delete")

    assert operations(events) == ["Create", "Update", "Delete"]
    for event in events:
        assert event["source"] == "aws.ssm"
        assert event["resources"] == [f"arn:aws:ssm:us-east-1:111122223333:parameter{NAME}"]
        assert event["detail"] == {
            "operation": event["detail"]["operation"],
            "name": NAME,
            "type": "String",
            "description": "the policy",
        }


def test_call_that_fails_sends_no_event(sandbox: Sandbox, arrived: Arrived) -> None:
    ssm = sandbox.client("ssm")
    ssm.put_parameter(Name=NAME, Value="1", Type="String")
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name=NAME, Value="2", Type="String")
    ssm.delete_parameter(Name=NAME)
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.delete_parameter(Name=NAME)

    assert operations(arrived("Delete")) == ["Create", "Delete"]


def test_parameter_of_a_stack_sends_events(
    sandbox: Sandbox, arrived: Arrived, eventually: Callable[..., Any]
) -> None:
    cloudformation = sandbox.client("cloudformation")
    parameter = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": NAME, "Type": "String", "Value": "1"},
    }
    cloudformation.create_stack(
        StackName="parameter", TemplateBody=json.dumps({"Resources": {"Parameter": parameter}})
    )
    eventually(lambda: sandbox.stack_status("parameter") == "CREATE_COMPLETE")
    cloudformation.delete_stack(StackName="parameter")

    assert operations(arrived("Delete")) == ["Create", "Delete"]


def test_parameter_history_names_the_author_of_each_version(sandbox: Sandbox) -> None:
    name, iam = "/emr-log-guard/history", sandbox.client("iam")
    iam.create_user(UserName="ada")
    iam.put_user_policy(
        UserName="ada",
        PolicyName="all",
        PolicyDocument=json.dumps(
            {"Statement": [{"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}]}
        ),
    )
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    sandbox.client("ssm").put_parameter(Name=name, Value="1", Type="String")
    theirs = sandbox.client(
        "ssm",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    theirs.put_parameter(Name=name, Value="2", Overwrite=True)

    history = sandbox.client("ssm").get_parameter_history(Name=name)["Parameters"]

    assert [version["LastModifiedUser"] for version in history] == [
        sandbox.client("sts").get_caller_identity()["Arn"],
        "arn:aws:iam::111122223333:user/ada",
    ]
