"""Re-encrypts log objects in place, in batches from the queue: the only function that may."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.remediation import reencrypt, reencryption_requests
from emr_log_guard.events.reencryption import parse_reencryption_request
from emr_log_guard.events.sqs import each_body_then
from emr_log_guard.observability import logger, metrics

REENCRYPT = reencrypt(os.environ)
REQUESTS = reencryption_requests(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> PartialItemFailureResponse:
    """Re-encrypt what is to be; name the messages to deliver again, and when."""
    return each_body_then(event, parse_reencryption_request, REENCRYPT.reencrypt, REQUESTS.postpone)
