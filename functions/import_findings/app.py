"""Keeps Security Hub in sync with the recorded findings, from the stream of their table."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.delivery import import_findings
from emr_log_guard.events.import_findings import parse_import
from emr_log_guard.observability import logger

IMPORT_FINDINGS = import_findings(os.environ)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Import the findings that changed, or that a request names."""
    return IMPORT_FINDINGS(parse_import(event))
