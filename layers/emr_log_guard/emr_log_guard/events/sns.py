"""SNS notifications that carry the guard's own alerts.

https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from typing import Any, Literal

import msgspec

from emr_log_guard.events.parsing import convert, decode


class AlertMessage(msgspec.Struct, frozen=True):
    """What is read of an alert: the rest of its JSON is for other people's tools."""

    schema: Literal["emr-log-guard/alert/1"]
    subject: str
    text: str


class Notification(msgspec.Struct, frozen=True, rename="pascal"):
    """A message that was published to the topic."""

    message: str


class Record(msgspec.Struct, frozen=True):
    """A delivery of one notification."""

    notification: Notification = msgspec.field(name="Sns")


class Delivery(msgspec.Struct, frozen=True, rename="pascal"):
    """What SNS invokes a function with: one record."""

    records: tuple[Record, ...]


def parse_alerts(event: Any) -> tuple[AlertMessage, ...]:  # noqa: ANN401 - any JSON may arrive
    """Read the alerts that SNS delivers.

    Raises:
        InvalidEventError: The event is not SNS's, or its message is no alert of the guard.

    """
    delivery = convert(event, Delivery)
    return tuple(decode(record.notification.message, AlertMessage) for record in delivery.records)
