"""Puts alerts on an event bus."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.delivery import emit_events
from emr_log_guard.events.published_alerts import parse_published_alerts
from emr_log_guard.observability import logger

EMIT_EVENTS = emit_events(os.environ)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Emit the events of the alerts that were delivered."""
    return EMIT_EVENTS(parse_published_alerts(event))
