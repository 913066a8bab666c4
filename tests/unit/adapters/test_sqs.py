import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from emr_log_guard.adapters.sqs import (
    SqsEnforcementQueue,
    SqsRedelivery,
    SqsReencryptionQueue,
    SqsUnimported,
)
from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.domain.workflow_state import FindingKey
from emr_log_guard.errors import ReencryptionNotRequestedError
from emr_log_guard.events.enforcement import parse_enforcement_request
from emr_log_guard.events.reencryption import parse_reencryption_request
from tests.unit.builders import CLUSTER_ID, a_cluster, a_log_object
from tests.unit.stubbed_aws import AwsError, StubbedAws

EVENTS = Path(__file__).parents[3] / "events"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/enforce"
REQUEST = RequestEnforcement(a_cluster().arn, (a_log_object(),))


def queue(aws: StubbedAws) -> SqsEnforcementQueue:
    client = aws.attach(boto3.client("sqs"))
    return SqsEnforcementQueue(lambda: client, QUEUE)


def test_sent_request_can_be_parsed_by_enforce(aws: StubbedAws) -> None:
    aws.answer("SendMessage", {"MessageId": "m"})

    queue(aws).send(REQUEST)

    ((operation, params),) = aws.calls
    assert operation == "SendMessage"
    assert params["QueueUrl"] == QUEUE
    assert parse_enforcement_request(params["MessageBody"]) == REQUEST


def test_error_while_sending_a_request_is_raised(aws: StubbedAws) -> None:
    aws.answer("SendMessage", AwsError("AWS.SimpleQueueService.NonExistentQueue"))

    with pytest.raises(ClientError, match="NonExistentQueue"):
        queue(aws).send(REQUEST)


def redelivery(aws: StubbedAws) -> SqsRedelivery:
    client = aws.attach(boto3.client("sqs"))
    return SqsRedelivery(lambda: client, QUEUE)


def test_each_message_is_postponed_by_its_own_delay(aws: StubbedAws) -> None:
    aws.answer("ChangeMessageVisibility", {})

    redelivery(aws).postpone({"r0": 5, "r1": 60})

    asked = [(call["ReceiptHandle"], call["VisibilityTimeout"]) for _, call in aws.calls]
    assert asked == [("r0", 5), ("r1", 60)]


def test_error_while_postponing_a_message_is_raised(aws: StubbedAws) -> None:
    aws.answer("ChangeMessageVisibility", AwsError("AccessDenied"))

    with pytest.raises(ClientError, match="AccessDenied"):
        redelivery(aws).postpone({"r0": 5})


def test_rejected_finding_is_kept_as_an_import_request(
    aws: StubbedAws,
) -> None:
    aws.answer("SendMessage", {"MessageId": "m"})
    kept = SqsUnimported(aws.attach(boto3.client("sqs")), QUEUE)

    kept.keep(FindingKey(CLUSTER_ID, "EMRLOG-002"), "InvalidInput: no")

    [(_, params)] = aws.calls
    request = json.loads((EVENTS / "import-findings-request.json").read_text())
    assert params["QueueUrl"] == QUEUE
    assert json.loads(params["MessageBody"]) == request | {"reason": "InvalidInput: no"}


def reencryptions(aws: StubbedAws) -> SqsReencryptionQueue:
    client = aws.attach(boto3.client("sqs"))
    return SqsReencryptionQueue(lambda: client, QUEUE)


def test_reencryption_requests_are_sent_in_batches_of_ten(aws: StubbedAws) -> None:
    aws.answer("SendMessageBatch", {"Successful": [], "Failed": []})
    versions = [a_log_object(f"{n}") for n in range(11)]

    reencryptions(aws).send(versions, 900)

    entries = [entry for _, call in aws.calls for entry in call["Entries"]]
    assert [len(call["Entries"]) for _, call in aws.calls] == [10, 1]
    assert [parse_reencryption_request(each["MessageBody"]) for each in entries] == versions
    assert {each["DelaySeconds"] for each in entries} == {900}


def test_no_reencryption_requests_cause_no_call(aws: StubbedAws) -> None:
    reencryptions(aws).send([])

    assert aws.calls == []


def test_rejected_reencryption_request_raises(aws: StubbedAws) -> None:
    failed = {"Id": "0", "SenderFault": False, "Code": "InternalError"}
    aws.answer("SendMessageBatch", {"Successful": [], "Failed": [failed]})

    with pytest.raises(ReencryptionNotRequestedError, match="InternalError for 1 objects"):
        reencryptions(aws).send([a_log_object()])
