"""Terminates clusters, at the request of a check: the only function that may."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.remediation import enforce
from emr_log_guard.events.enforcement import parse_enforcement_request
from emr_log_guard.events.sqs import each_body
from emr_log_guard.observability import logger, metrics

ENFORCE = enforce(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> PartialItemFailureResponse:
    """Re-evaluate each requested cluster; name the messages to deliver again."""
    _, failures = each_body(event, lambda body: ENFORCE(parse_enforcement_request(body)))
    return failures
