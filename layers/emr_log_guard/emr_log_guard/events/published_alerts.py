"""SNS notifications that carry the guard's own alerts, read whole.

https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from emr_log_guard.events.parsing import convert, decode


class AlertBody(msgspec.Struct, frozen=True):
    """What every alert says of itself."""

    schema: Literal["emr-log-guard/alert/1"]
    kind: str


class Notification(msgspec.Struct, frozen=True, rename="pascal"):
    """A message that was published to the topic."""

    message_id: str
    message: str


class Record(msgspec.Struct, frozen=True):
    """A delivery of one notification."""

    notification: Notification = msgspec.field(name="Sns")


class Delivery(msgspec.Struct, frozen=True, rename="pascal"):
    """What SNS invokes a function with: one record."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class PublishedAlert:
    """An alert as it was published."""

    id: str
    """The same whenever it is delivered."""
    alert: Mapping[str, Any]


def parse_published_alerts(event: Any) -> tuple[PublishedAlert, ...]:  # noqa: ANN401 - any JSON
    """Read the alerts that SNS delivers.

    Raises:
        InvalidEventError: The event is not SNS's, or its message is no alert of the guard.

    """
    notifications = [record.notification for record in convert(event, Delivery).records]
    for notification in notifications:
        decode(notification.message, AlertBody)
    return tuple(
        PublishedAlert(each.message_id, decode(each.message, dict[str, Any]))
        for each in notifications
    )
