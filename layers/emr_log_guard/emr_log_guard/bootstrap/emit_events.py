"""The wiring of emit_events."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.eventbridge import EventBridgeBus
from emr_log_guard.config import required
from emr_log_guard.usecases.emit_events import EmitEvents


def emit_events(env: Mapping[str, str]) -> EmitEvents:
    """Wire the guard's events."""
    return EmitEvents(EventBridgeBus(clients.events(), required(env, "EVENT_BUS_ARN")))
