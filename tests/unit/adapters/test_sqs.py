import boto3
import pytest
from botocore.exceptions import ClientError

from emr_log_guard.adapters.sqs import SqsEnforcementQueue
from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.events.enforcement import parse_enforcement_request
from tests.unit.builders import a_cluster, a_log_object
from tests.unit.stubbed_aws import AwsError, StubbedAws

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/enforce"
REQUEST = RequestEnforcement(a_cluster().arn, (a_log_object(),))


def queue(aws: StubbedAws) -> SqsEnforcementQueue:
    client = aws.attach(boto3.client("sqs"))
    return SqsEnforcementQueue(lambda: client, QUEUE)


def test_a_request_is_sent_as_enforce_reads_it(aws: StubbedAws) -> None:
    aws.answer("SendMessage", {"MessageId": "m"})

    queue(aws).send(REQUEST)

    ((operation, params),) = aws.calls
    assert operation == "SendMessage"
    assert params["QueueUrl"] == QUEUE
    assert parse_enforcement_request(params["MessageBody"]) == REQUEST


def test_a_request_that_cannot_be_sent_flies(aws: StubbedAws) -> None:
    aws.answer("SendMessage", AwsError("AWS.SimpleQueueService.NonExistentQueue"))

    with pytest.raises(ClientError, match="NonExistentQueue"):
        queue(aws).send(REQUEST)
