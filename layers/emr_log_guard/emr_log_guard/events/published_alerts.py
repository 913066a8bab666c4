"""The guard's alerts as SNS delivers them, as whole documents for forwarding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from emr_log_guard.events.parsing import convert, decode
from emr_log_guard.events.sns import Delivery


class AlertBody(msgspec.Struct, frozen=True):
    """The common fields of alerts."""

    schema: Literal["emr-log-guard/alert/1"]
    kind: str


@dataclass(frozen=True, slots=True)
class AlertDocument:
    """An alert as it was published."""

    id: str
    """The same for each delivery."""
    alert: Mapping[str, Any]


def parse_published_alerts(event: Any) -> tuple[AlertDocument, ...]:  # noqa: ANN401 - any JSON
    """Read the alerts that SNS delivers.

    Raises:
        InvalidEventError: The event is not from SNS, or its message is not an alert.

    """
    notifications = [record.notification for record in convert(event, Delivery).records]
    for notification in notifications:
        decode(notification.message, AlertBody)
    return tuple(
        AlertDocument(each.message_id, decode(each.message, dict[str, Any]))
        for each in notifications
    )
