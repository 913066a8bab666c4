"""Checks log objects that S3 created, in batches from the queue."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.checks import check_log_objects, log_objects_queue
from emr_log_guard.events.sqs import each_body_then
from emr_log_guard.observability import logger, metrics

CHECK_LOG_OBJECTS = check_log_objects(os.environ)
LOG_OBJECTS = log_objects_queue(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> PartialItemFailureResponse:
    """Check the objects that the messages name; name the messages to deliver again."""
    read, check = CHECK_LOG_OBJECTS.read, CHECK_LOG_OBJECTS.check
    return each_body_then(event, read, check, LOG_OBJECTS.postpone)
