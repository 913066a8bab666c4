"""Put alerts on an event bus."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from emr_log_guard.events.published_alerts import AlertDocument
from emr_log_guard.observability import logger
from emr_log_guard.rendering.alerts.events import BusEvent, bus_events


class Bus(Protocol):
    """An event bus."""

    def put(self, events: Sequence[BusEvent]) -> None:
        """Put events on it, or raise PutEventsFailedError."""
        ...


@dataclass(frozen=True, slots=True)
class EmitEvents:
    """Emits the events of each alert."""

    bus: Bus

    def __call__(self, alerts: Iterable[AlertDocument]) -> dict[str, int]:
        """Emit the alerts' events.

        Raises:
            PutEventsFailedError: The bus did not accept one: SNS retries the delivery.

        """
        emitted = 0
        for published in alerts:
            events = list(bus_events(published.alert, published.id))
            self.bus.put(events)
            emitted += len(events)
            logger.info("events emitted", alert_id=published.id, events=len(events))
        return {"emitted": emitted}
