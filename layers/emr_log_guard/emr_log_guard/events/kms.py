"""What was done to a KMS key, as CloudTrail tells.

https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from emr_log_guard.events.parsing import Time, convert

Text = Annotated[str, msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class KeyHint:
    """Where to look."""

    key: str
    """The key's id, ARN or alias, as the caller typed it."""
    at: datetime | None = None
    """When the key was changed, UTC; None when the event does not say."""


class KeyRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which key: its id, ARN or alias, as the caller typed it."""

    key_id: Text


class KeyDetail(msgspec.Struct, frozen=True, rename="camel"):
    """A call that KMS answered."""

    event_source: Literal["kms.amazonaws.com"]
    request_parameters: KeyRequest
    error_code: None = None


class KeyEvent(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """Somebody changed a key."""

    source: Annotated[str, msgspec.Meta(pattern=r"^aws\.")]
    detail_type: Literal["AWS API Call via CloudTrail"]
    detail: KeyDetail
    time: Time | None = None


def parse_key_event(event: Any) -> KeyHint:  # noqa: ANN401 - Lambda hands over any JSON
    """Name the key to look at. What was done to it is not read: it may be undone already.

    Raises:
        InvalidEventError: The event is none about a key; the message names the field.

    """
    told = convert(event, KeyEvent)
    return KeyHint(told.detail.request_parameters.key_id, told.time)
