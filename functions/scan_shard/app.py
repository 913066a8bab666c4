"""Scans one shard of a re-scan: some clusters, or a range of log objects."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.rescan import scan_shard
from emr_log_guard.events.rescan import parse_shard
from emr_log_guard.observability import logger, metrics

SCAN_SHARD = scan_shard(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, str]:
    """Scan the shard, and store its result."""
    return SCAN_SHARD(parse_shard(event))
