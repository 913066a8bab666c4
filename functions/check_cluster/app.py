"""Checks clusters whenever events name them: a launch, or a change of a cluster or its steps."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from emr_log_guard.bootstrap.checks import check_clusters, cluster_events
from emr_log_guard.events.emr import ClusterCheckRequest, parse_cluster_event
from emr_log_guard.events.sqs import each_body_then
from emr_log_guard.observability import logger, metrics

CHECK_CLUSTERS = check_clusters(os.environ)
CLUSTER_EVENTS = cluster_events(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(
    event: dict[str, Any], _context: LambdaContext
) -> PartialItemFailureResponse | dict[str, object]:
    """Check the clusters that a batch of messages names, or the one that a single event names."""
    if "Records" not in event:
        return CHECK_CLUSTERS.check_cluster(parse_cluster_event(event)).summary()
    read, check = CHECK_CLUSTERS.read, CHECK_CLUSTERS.check
    return each_body_then(event, read, check, CLUSTER_EVENTS.postpone, ClusterCheckRequest.may_wait)
