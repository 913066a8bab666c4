"""Sends alerts to Amazon Q Developer in chat applications."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.delivery import notify_amazon_q
from emr_log_guard.events.sns import parse_alerts
from emr_log_guard.observability import logger

NOTIFY_AMAZON_Q = notify_amazon_q(os.environ)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Publish the alerts that were delivered."""
    return NOTIFY_AMAZON_Q(parse_alerts(event))
