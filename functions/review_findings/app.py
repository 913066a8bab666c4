"""Requests checks of everything that is open: every hour, and when the policy changes."""

import os
from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.checks import review_findings
from emr_log_guard.events.review import parse_review
from emr_log_guard.observability import logger, metrics

REVIEW_FINDINGS = review_findings(os.environ)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Ask for a check of what has an open finding, or of what is late."""
    return REVIEW_FINDINGS(parse_review(event))
