"""Changes of KMS keys, their aliases and key stores.

CloudTrail sends API calls, and what KMS did by itself; KMS sends two events that need no trail.

https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
https://docs.aws.amazon.com/kms/latest/developerguide/kms-events.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from emr_log_guard.domain.arn import Arn, partition_of
from emr_log_guard.domain.keys import is_key_arn, named_arn
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.parsing import Time, convert

Text = Annotated[str, msgspec.Meta(min_length=1)]

KEY_EVENTS: Final = ("KMS Imported Key Material Expiration", "KMS CMK Deletion")
"""The events that KMS sends without a trail."""


@dataclass(frozen=True, slots=True)
class KeyCheckRequest:
    """A key changed."""

    key: str
    """The key's ARN, if the event has it; else its id, ARN or alias as in the call."""
    at: datetime | None = None
    """When it was changed, UTC; None when the event does not say."""

    @property
    def subject(self) -> str:
        """What changed."""
        return self.key


@dataclass(frozen=True, slots=True)
class AliasCheckRequest:
    """An alias was created, deleted or moved to another key."""

    alias_arn: str
    key: str | None
    """The ARN of the key that it points to, or pointed to until it was deleted; None when unknown.

    The previous target of an updated alias is in no event.
    """
    at: datetime | None = None
    """When it was changed, UTC; None when the event does not say."""

    @property
    def subject(self) -> str:
        """What changed."""
        return self.alias_arn


@dataclass(frozen=True, slots=True)
class KeyStoreCheckRequest:
    """A custom key store was connected or disconnected, and so every key in it."""

    key_store: str
    """Its id, such as `cks-1234567890abcdef0`."""
    at: datetime | None = None
    """When it was changed, UTC; None when the event does not say."""

    @property
    def subject(self) -> str:
        """What changed."""
        return self.key_store


type KeyEventCheckRequest = KeyCheckRequest | AliasCheckRequest | KeyStoreCheckRequest
"""What to check. The kind of change is not included: it may be undone already."""


class Parameters(msgspec.Struct, frozen=True, rename="camel"):
    """The parameters of a call: one of these."""

    key_id: Text | None = None
    alias_name: Text | None = None
    custom_key_store_id: Text | None = None


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """KMS's response. Since December 2022 CloudTrail adds the key's ARN."""

    key_id: str | None = None


class Resource(msgspec.Struct, frozen=True):
    """A key or alias of a call."""

    arn: str = msgspec.field(name="ARN", default="")


class Recorded(msgspec.Struct, frozen=True, rename="camel"):
    """A successful call, or an action of KMS itself."""

    event_source: Literal["kms.amazonaws.com"]
    request_parameters: Parameters | None = None
    """None for actions of KMS itself, such as the deletion of expired key material."""
    response_elements: Answer | None = None
    resources: tuple[Resource, ...] | None = None
    error_code: None = None

    @property
    def key_arn(self) -> str | None:
        """The key's ARN, wherever the event has it."""
        request, response = self.request_parameters, self.response_elements
        named = [(request and request.key_id) or "", (response and response.key_id) or ""]
        named += [resource.arn for resource in self.resources or ()]
        return next(filter(is_key_arn, named), None)


class RecordedEvent(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """An event about KMS from CloudTrail."""

    source: Annotated[str, msgspec.Meta(pattern=r"^aws\.")]
    detail_type: Literal["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"]
    account: Text
    region: Text
    detail: Recorded
    time: Time | None = None


class KeyEvent(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """An event from KMS itself: key material expired, or a key was deleted."""

    source: Literal["aws.kms"]
    detail_type: Literal["KMS Imported Key Material Expiration", "KMS CMK Deletion"]
    resources: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    time: Time | None = None


def parse_key_event(event: Any) -> KeyEventCheckRequest:  # noqa: ANN401 - Lambda passes any JSON
    """Return the key, alias or key store to check.

    Raises:
        InvalidEventError: The event is not about a key; the message names the field.

    """
    match event:
        case {"detail-type": kind} if kind in KEY_EVENTS:
            sent = convert(event, KeyEvent)
            return KeyCheckRequest(sent.resources[0], sent.time)
        case _:
            return _recorded(convert(event, RecordedEvent))


def _recorded(event: RecordedEvent) -> KeyEventCheckRequest:
    found = event.detail
    parameters = found.request_parameters or Parameters()
    if parameters.custom_key_store_id:
        return KeyStoreCheckRequest(parameters.custom_key_store_id, event.time)
    if parameters.alias_name:
        here = Arn(partition_of(event.region), "kms", event.region, event.account, "")
        return AliasCheckRequest(named_arn(parameters.alias_name, here), found.key_arn, event.time)
    key = found.key_arn or parameters.key_id
    if key is None:
        message = "not RecordedEvent: it names no key, alias or key store - at `$.detail`"
        raise InvalidEventError(message)
    return KeyCheckRequest(key, event.time)
