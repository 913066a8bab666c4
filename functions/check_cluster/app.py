"""Judges an EMR cluster whenever an event names it: a launch, a change of it or of its steps."""

import os
from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.checks import check_cluster
from emr_log_guard.events.emr import parse_cluster_event
from emr_log_guard.observability import logger, metrics

CHECK_CLUSTER = check_cluster(os.environ)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, object]:
    """Check the cluster that the event names."""
    return CHECK_CLUSTER(parse_cluster_event(event)).summary()
