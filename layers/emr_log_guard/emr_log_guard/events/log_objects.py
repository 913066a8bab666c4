"""What names a log object to look at: an event of it, or the guard's own request to re-check."""

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
    """Where to look."""

    version: ObjectVersion
    account: str
    region: str
    again_for: str | None = None
    """The cluster that has an open finding because of the object; None when it is new."""
    at: datetime | None = None
    """When the object was created or re-encrypted, UTC, as its event says."""
    reencrypted: bool = False
    """Whether it existed before and got another key: it may have been counted as bad."""
    otherwise: ObjectVersion | None = None
    """The object that is meant if there is none by the key of `version`."""


class LogObjectMessage(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """What tells the guard's own request from an event, and the events apart."""

    schema: str | None = None
    detail_type: str | None = None


class RecheckLogObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Look at this object again: it may have been put right, or be gone."""

    schema: Literal["emr-log-guard/recheck-log-object/1"]
    account: Text
    region: Text
    cluster_id: Text
    bucket: Text
    key: Text
    version_id: str | None = None


def parse_log_object_request(body: str) -> LogObjectCheckRequest:
    """Read one queued message.

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
    """Write a request to look again at an object that a cluster has an open finding because of."""
    version = request.version
    message = RecheckLogObject(
        schema=RECHECK_LOG_OBJECT,
        account=request.account,
        region=request.region,
        cluster_id=request.again_for or "",
        bucket=version.bucket,
        key=version.key,
        version_id=version.version_id,
    )
    return msgspec.json.encode(message).decode()
