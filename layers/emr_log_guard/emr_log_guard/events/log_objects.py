"""Messages that name a log object to check: S3 events, and the guard's re-check requests."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.events.parsing import decode
from emr_log_guard.events.s3 import parse_encryption_updated, parse_object_created

RECHECK_LOG_OBJECT: Final = "emr-log-guard/recheck-log-object/1"
Text = Annotated[str, msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class LogObjectCheckRequest:
    """A request to check a log object."""

    version: ObjectVersion
    account: str
    region: str
    recheck_for: str | None = None
    """The cluster with an open finding about the object; None when it is new."""
    at: datetime | None = None
    """When the object was created or re-encrypted, UTC, from its event."""
    reencrypted: bool = False
    """Whether it was re-encrypted: it may have been counted as non-compliant."""
    otherwise: ObjectVersion | None = None
    """The object if there is none with the key of `version`."""


class LogObjectMessage(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """The fields that identify the kind of message."""

    schema: str | None = None
    detail_type: str | None = None


class RecheckLogObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Re-check this object: it may have been re-encrypted or deleted."""

    schema: Literal["emr-log-guard/recheck-log-object/1"]
    account: Text
    region: Text
    cluster_id: Text
    bucket: Text
    key: Text
    version_id: str | None = None


def parse_log_object_request(body: str) -> LogObjectCheckRequest:
    """Parse one queued message.

    Raises:
        InvalidEventError: The body names no object; the message names the field.

    """
    message = decode(body, LogObjectMessage)
    if message.schema is None and message.detail_type == "AWS API Call via CloudTrail":
        updated = parse_encryption_updated(body)
        return LogObjectCheckRequest(
            updated.version,
            updated.account,
            updated.region,
            at=updated.time,
            reencrypted=True,
            otherwise=updated.decoded,
        )
    if message.schema is None:
        event = parse_object_created(body)
        return LogObjectCheckRequest(event.version, event.account, event.region, at=event.time)
    again = decode(body, RecheckLogObject)
    version = ObjectVersion(again.bucket, again.key, again.version_id)
    return LogObjectCheckRequest(version, again.account, again.region, again.cluster_id)


def encode_recheck(request: LogObjectCheckRequest) -> str:
    """Write a request to re-check an object of an open finding."""
    version = request.version
    message = RecheckLogObject(
        schema=RECHECK_LOG_OBJECT,
        account=request.account,
        region=request.region,
        cluster_id=request.recheck_for or "",
        bucket=version.bucket,
        key=version.key,
        version_id=version.version_id,
    )
    return msgspec.json.encode(message).decode()
