"""EventBridge receives `AWS API Call via CloudTrail` events of EMR, KMS and S3. Upstream: no.

MiniStack sends none. This patch covers only RunJobFlow, the KMS calls that change keys and aliases,
and UpdateObjectEncryption, too few to be useful to others. On AWS these events require a trail that
logs management events and, for UpdateObjectEncryption, data events of the bucket.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
https://docs.aws.amazon.com/kms/latest/developerguide/ct-updatealias.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html
"""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from sandbox.emulator_patches.hooks import (
    Response,
    account_and_region,
    handle_emr,
    original_emr,
    part,
    wrap,
)

KMS_CALLS = {
    "_cancel_key_deletion": "CancelKeyDeletion",
    "_create_alias": "CreateAlias",
    "_delete_alias": "DeleteAlias",
    "_delete_imported_key_material": "DeleteImportedKeyMaterial",
    "_disable_key": "DisableKey",
    "_disable_key_rotation": "DisableKeyRotation",
    "_enable_key": "EnableKey",
    "_enable_key_rotation": "EnableKeyRotation",
    "_import_key_material": "ImportKeyMaterial",
    "_put_key_policy": "PutKeyPolicy",
    "_revoke_grant": "RevokeGrant",
    "_schedule_key_deletion": "ScheduleKeyDeletion",
    "_update_alias": "UpdateAlias",
}
"""MiniStack's functions for the calls that may change whether a key or an alias can be used."""
SECRETS = ("EncryptedKeyMaterial", "ImportToken")
"""Request parameters that CloudTrail does not log."""


def as_logged(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A request or response in CloudTrail's spelling: names begin with a lower-case letter."""
    match value:
        case dict():
            return {name[:1].lower() + name[1:]: as_logged(each) for name, each in value.items()}
        case list():
            return [as_logged(each) for each in value]
        case _:
            return value


def send(
    service: str,
    endpoint: str,
    call: str,
    request: Mapping[str, Any],
    response: Response,
    **more: Any,  # noqa: ANN401 - any JSON
) -> None:
    """Send the event for a call that succeeded or failed.

    Args:
        service: The event's source, without `aws.`.
        endpoint: The service's endpoint, without the Region.
        call: The call's name.
        request: The request, in AWS's spelling.
        response: The response.
        more: Fields of the record that override the default ones.
    """
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
    detail |= more
    record = {
        "Source": f"aws.{service}",
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(detail),
        "Resources": [],
    }
    part("services.eventbridge", "_put_events")({"Entries": [record]}, allow_aws_source=True)


def kind(caller: str) -> str:
    """The type of a caller, as CloudTrail names it."""
    if ":assumed-role/" in caller:
        return "AssumedRole"
    return "IAMUser" if ":user/" in caller else "Root"


def with_event(
    service: str, endpoint: str, call: str
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Send an event after each response of a handler."""

    def around(handle: Callable[..., Response]) -> Callable[..., Response]:
        def handle_and_tell(request: dict[str, Any]) -> Response:
            response = handle(request)
            send(service, endpoint, call, request, response)
            return response

        return handle_and_tell

    return around


def with_key_event(call: str) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Send an event after each KMS response, with the ARNs of the key and the alias."""

    def around(handle: Callable[..., Response]) -> Callable[..., Response]:
        def handle_and_tell(request: dict[str, Any]) -> Response:
            alias = request.get("AliasName", "")
            named = request.get("TargetKeyId") or request.get("KeyId") or alias
            # Resolve the alias before it is deleted: afterwards its key is no longer known.
            record = part("services.kms", "_resolve_key")(named)
            response = handle(request)
            arns = [str(record["Arn"])] if record else []
            if alias:
                arns.insert(0, part("services.kms", "_alias_arn")(alias))
            account, _ = account_and_region()
            more: dict[str, Any] = {
                "resources": [
                    {"accountId": account, "type": "AWS::KMS::Key", "ARN": arn} for arn in arns
                ]
            }
            if record and response[0] == HTTPStatus.OK:
                more["responseElements"] = {"keyId": record["Arn"]}
            asked = {field: said for field, said in request.items() if field not in SECRETS}
            send("kms", "kms.amazonaws.com", call, asked, response, **more)
            return response

        return handle_and_tell

    return around


def with_object_event(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """Send an event after each successful UpdateObjectEncryption."""

    def dispatch_request(*request: Any) -> Any:  # noqa: ANN401 - passed on
        response = dispatch(*request)
        method, bucket, key, _headers, _body, query = request
        if method != "PUT" or not key or "encryption" not in query or response[0] != HTTPStatus.OK:
            return response
        account, _ = account_and_region()
        version = part("services.s3", "_qp")(query, "versionId", "")
        asked = {"bucketName": bucket, "encryption": "", "key": key}
        more = {
            "managementEvent": False,
            "eventCategory": "Data",
            "resources": [
                {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"},
                {"accountId": account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"},
            ],
        }
        named = asked | ({"versionId": version} if version else {})
        send("s3", "s3.amazonaws.com", "UpdateObjectEncryption", named, response, **more)
        return response

    return dispatch_request


def install() -> None:
    """Send events of launches, of calls that change keys, and of objects that get another key."""
    emr = with_event("elasticmapreduce", "elasticmapreduce.amazonaws.com", "RunJobFlow")
    handle_emr("RunJobFlow", emr(original_emr("RunJobFlow")))
    for function, call in KMS_CALLS.items():
        wrap("services.kms", function, with_key_event(call))
    wrap("services.s3", "_dispatch", with_object_event)
