"""`AWS API Call via CloudTrail` events of RunJobFlow and of what is done to KMS keys.

MiniStack sends none. On AWS a trail has to log management events for them to come.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from sandbox.corrections.hooks import (
    Response,
    account_and_region,
    handle_emr,
    original_emr,
    part,
    wrap,
)

KMS_CALLS = {
    "_cancel_key_deletion": "CancelKeyDeletion",
    "_delete_imported_key_material": "DeleteImportedKeyMaterial",
    "_disable_key": "DisableKey",
    "_enable_key": "EnableKey",
    "_put_key_policy": "PutKeyPolicy",
    "_revoke_grant": "RevokeGrant",
    "_schedule_key_deletion": "ScheduleKeyDeletion",
}
"""MiniStack's functions for the calls that may end or renew the use of a key."""


def as_logged(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A request or an answer in CloudTrail's spelling: names begin in lower case."""
    match value:
        case dict():
            return {name[:1].lower() + name[1:]: as_logged(each) for name, each in value.items()}
        case list():
            return [as_logged(each) for each in value]
        case _:
            return value


def send(
    service: str, endpoint: str, call: str, request: Mapping[str, Any], response: Response
) -> None:
    """Send the event about a call that was answered, well or not."""
    account, region = account_and_region()
    caller = part("core.iam_evaluator", "caller_arn")()
    said = json.loads(response[2] or b"{}")
    detail = {
        "eventVersion": "1.09",
        "userIdentity": {"type": kind(caller), "arn": caller, "accountId": account},
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": endpoint,
        "eventName": call,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": as_logged(request),
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if response[0] == HTTPStatus.OK:
        detail["responseElements"] = as_logged(said) or None
    else:
        detail |= {"errorCode": said["__type"], "errorMessage": said["message"]}
    entry = {
        "Source": f"aws.{service}",
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(detail),
        "Resources": [],
    }
    part("services.eventbridge", "_put_events")({"Entries": [entry]}, allow_aws_source=True)


def kind(caller: str) -> str:
    """The type of a caller, in CloudTrail's words."""
    if ":assumed-role/" in caller:
        return "AssumedRole"
    return "IAMUser" if ":user/" in caller else "Root"


def telling(
    service: str, endpoint: str, call: str
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Send an event after each answer of a handler."""

    def around(handle: Callable[..., Response]) -> Callable[..., Response]:
        def handle_and_tell(request: dict[str, Any]) -> Response:
            response = handle(request)
            send(service, endpoint, call, request, response)
            return response

        return handle_and_tell

    return around


def install() -> None:
    """Tell of RunJobFlow and of the calls that change whether a key can be used."""
    emr = telling("elasticmapreduce", "elasticmapreduce.amazonaws.com", "RunJobFlow")
    handle_emr("RunJobFlow", emr(original_emr("RunJobFlow")))
    for function, call in KMS_CALLS.items():
        wrap("services.kms", function, telling("kms", "kms.amazonaws.com", call))
