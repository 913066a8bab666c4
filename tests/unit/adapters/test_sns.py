import json

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.errors import AlertNotAcceptedError
from tests.unit.builders import a_cluster, a_finding
from tests.unit.stubbed_aws import AwsError, StubbedAws

TOPIC = "arn:aws:sns:eu-west-1:111122223333:alerts"
ALERT = Alert(
    AlertKind.FINDING_OPENED,
    a_cluster().arn,
    "nightly-etl",
    (a_finding(),),
    NextStep.NOTHING_IN_ALERT_MODE,
    Mode.ALERT,
)


def alerts(aws: StubbedAws) -> SnsAlerts:
    client = aws.attach(boto3.client("sns"))
    return SnsAlerts(lambda: client, TOPIC, "guard")


def test_alert_is_published_as_text_json_and_attributes(aws: StubbedAws) -> None:
    aws.answer("Publish", {"MessageId": "m"})

    alerts(aws).publish(ALERT)

    ((operation, params),) = aws.calls
    message = json.loads(params["Message"])
    assert operation == "Publish"
    assert params["TopicArn"] == TOPIC
    assert params["MessageStructure"] == "json"
    assert params["Subject"].startswith("[HIGH] EMR cluster nightly-etl")
    assert set(message) == {"default", "email", "sqs", "lambda", "http", "https"}
    assert json.loads(message["lambda"])["stack"] == "guard"
    assert params["MessageAttributes"] == {
        name: {"DataType": "String", "StringValue": value}
        for name, value in {
            "kind": "finding.opened",
            "account": "111122223333",
            "region": "eu-west-1",
            "severity": "HIGH",
            "rule_id": "EMRLOG-002",
        }.items()
    }


def test_rejected_publish_raises_alert_not_accepted(aws: StubbedAws) -> None:
    aws.answer("Publish", AwsError("AuthorizationError", status=403))

    with pytest.raises(AlertNotAcceptedError, match="AuthorizationError"):
        alerts(aws).publish(ALERT)


def test_unanswered_publish_raises_read_timeout(aws: StubbedAws) -> None:
    aws.answer("Publish", ReadTimeoutError(endpoint_url="https://sns.invalid", error="late"))

    with pytest.raises(ReadTimeoutError):
        alerts(aws).publish(ALERT)
