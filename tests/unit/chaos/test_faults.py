"""Which calls a fault applies to, and how it is answered."""

import json

import pytest

from sandbox.faults import Crash, Fault
from sandbox.faults.fault import Call, first_affecting
from sandbox.faults.requests import access_key_of, call_of, error

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=ASIAROLE/20260314/eu-west-1/{}/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("service", "headers", "request_line", "body", "operation"),
    [
        ("dynamodb", {"x-amz-target": "DynamoDB_20120810.PutItem"}, "POST /", b"{}", "PutItem"),
        ("sns", FORM, "POST /", b"Action=Publish&TopicArn=arn", "Publish"),
        ("scheduler", {}, "POST /schedules/j-1", b"{}", "POST /schedules/j-1"),
        ("s3", {}, "HEAD /logs/a", b"", "HEAD /logs/a"),
    ],
)
def test_call_is_recognized_in_each_protocol(
    service: str, headers: dict[str, str], request_line: str, body: bytes, operation: str
) -> None:
    method, path = request_line.split()
    headers = headers | {"authorization": SIGNED.format(service)}

    assert call_of(method, path, headers, body) == Call("ASIAROLE", service, operation)
    assert access_key_of(headers) == "ASIAROLE"


def test_unsigned_request_has_no_access_key() -> None:
    assert access_key_of({}) is None


def test_first_fault_with_a_sufficient_share_applies() -> None:
    rare = Fault("sns", "Pub*", share=0.2, status=500)
    usual = Fault("sns", delay=6)
    call = Call("ASIAROLE", "sns", "Publish")

    assert first_affecting([rare, usual], call, 0.1) is rare
    assert first_affecting([rare, usual], call, 0.2) is usual
    assert first_affecting([rare], Call("ASIAROLE", "sns", "Subscribe"), 0.1) is None
    assert first_affecting([rare], Call("ASIAROLE", "sqs", "Publish"), 0.1) is None


@pytest.mark.parametrize("fault", [Fault("sns"), Fault("sqs", "Send*", times=5, crash=Crash.AFTER)])
def test_fault_is_parsed_as_written(fault: Fault) -> None:
    assert Fault.parse(json.loads(json.dumps(fault.as_json()))) == fault


@pytest.mark.parametrize(
    ("service", "headers", "part"),
    [
        ("s3", {}, b"<Error><Code>SlowDown</Code>"),
        ("sns", FORM, b"<ErrorResponse><Error><Type>Receiver</Type><Code>SlowDown</Code>"),
        ("dynamodb", {}, b'"__type": "SlowDown"'),
    ],
)
def test_error_is_written_in_the_protocol_of_the_service(
    service: str, headers: dict[str, str], part: bytes
) -> None:
    given, body = error(service, headers, "SlowDown")

    assert part in body
    assert (b"x-amzn-errortype", b"SlowDown") in given
