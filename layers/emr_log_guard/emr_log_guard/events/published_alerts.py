"""The guard's own alerts as SNS delivers them, whole: for whoever hands them on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from emr_log_guard.events.parsing import convert, decode
from emr_log_guard.events.sns import Delivery


class AlertBody(msgspec.Struct, frozen=True):
    """What every alert says of itself."""

    schema: Literal["emr-log-guard/alert/1"]
    kind: str


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
