"""Finishes a re-scan: what is new, what is resolved, what could not be scanned."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.rescan import finish_rescan
from emr_log_guard.events.rescan import parse_finish
from emr_log_guard.observability import logger, metrics

FINISH_RESCAN = finish_rescan(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> Mapping[str, str | int]:
    """Write the report, and notify."""
    return FINISH_RESCAN(parse_finish(event))
