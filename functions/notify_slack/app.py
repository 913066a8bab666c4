"""Posts alerts to Slack."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.delivery import notify_slack
from emr_log_guard.events.sns import parse_alerts
from emr_log_guard.observability import logger, metrics

NOTIFY_SLACK = notify_slack(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Post the alerts that were delivered."""
    return NOTIFY_SLACK(parse_alerts(event))
