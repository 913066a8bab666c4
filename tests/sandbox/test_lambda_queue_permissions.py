import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sandbox import Sandbox
from tests.sandbox.functions import make_function

type Eventually = Callable[..., Any]
CODE = "def handler(event, context): return {}"
TAKING = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def document(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_queue_is_polled_with_the_permissions_of_the_function_role(
    sandbox: Sandbox, eventually: Eventually
) -> None:
    iam, sqs, function = (sandbox.client(name) for name in ("iam", "sqs", "lambda"))
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    role = iam.create_role(
        RoleName="taker", AssumeRolePolicyDocument=document(trust | {"Action": "sts:AssumeRole"})
    )["Role"]["Arn"]
    url = sqs.create_queue(QueueName="taken")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    taker = make_function(sandbox, CODE, Role=role)
    function.create_event_source_mapping(FunctionName=taker, EventSourceArn=queue)
    sqs.send_message(QueueUrl=url, MessageBody="x")

    def waiting() -> int:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(answer["ApproximateNumberOfMessages"])

    with pytest.raises(TimeoutError):
        eventually(lambda: not waiting(), seconds=1)

    iam.put_role_policy(
        RoleName="taker",
        PolicyName="take",
        PolicyDocument=document({"Effect": "Allow", "Action": TAKING, "Resource": queue}),
    )
    eventually(lambda: not waiting())
