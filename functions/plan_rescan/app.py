"""Plans the shards of a re-scan, if no other one is running."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.rescan import plan_rescan
from emr_log_guard.events.rescan import parse_plan
from emr_log_guard.observability import logger, metrics

PLAN_RESCAN = plan_rescan(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, object]:
    """List clusters and folders of logs, and cut them into shards."""
    return PLAN_RESCAN(parse_plan(event))
