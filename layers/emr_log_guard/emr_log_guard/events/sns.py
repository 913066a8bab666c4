"""SNS notifications that carry the guard's own alerts.

https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from typing import Any, Literal

import msgspec

from emr_log_guard.domain.decide import Alert, AlertKind
from emr_log_guard.domain.policy import PolicyProblem
from emr_log_guard.domain.published_alert import PublishedAlert, RescanDone
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.parsing import convert, decode


class AlertMessage(msgspec.Struct, frozen=True):
    """The common fields of all kinds and versions of alerts."""

    schema: Literal["emr-log-guard/alert/1"]
    subject: str
    text: str
    kind: str = ""
    account: str | None = None
    region: str | None = None
    cluster_tags: dict[str, str] = {}


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


def parse_alerts(event: Any) -> tuple[PublishedAlert, ...]:  # noqa: ANN401 - any JSON may arrive
    """Read the alerts that SNS delivers.

    An alert of another version of the guard, in transit during an update of the stack, may lack
    fields: then only its subject and text are read, so that nothing is lost.

    Raises:
        InvalidEventError: The event is not from SNS, or its message is not an alert.

    """
    delivery = convert(event, Delivery)
    return tuple(_published_alert(record.notification.message) for record in delivery.records)


def _published_alert(text: str) -> PublishedAlert:
    message = decode(text, AlertMessage)
    return PublishedAlert(
        subject=message.subject,
        text=message.text,
        kind=message.kind,
        account=message.account,
        region=message.region,
        cluster_tags=message.cluster_tags,
        about=_about(text, message.kind),
    )


def _about(text: str, kind: str) -> Alert | PolicyProblem | RescanDone | None:
    try:
        match kind:
            case AlertKind.POLICY_INVALID:
                return decode(text, PolicyProblem)
            case AlertKind.RESCAN_DONE:
                return decode(text, RescanDone)
            case AlertKind.POLICY_CHANGED:
                return None  # its text says it all
            case _:
                return decode(text, Alert)
    except InvalidEventError:
        return None
