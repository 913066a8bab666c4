"""Requests checks of the clusters that log with a changed KMS key."""

import os
from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.checks import check_key
from emr_log_guard.events.kms import parse_key_event
from emr_log_guard.observability import logger, metrics

CHECK_KEY = check_key(os.environ)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, object]:
    """Ask for a check of each cluster that logs with the key."""
    return CHECK_KEY(parse_key_event(event)).summary()
