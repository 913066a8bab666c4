"""The wiring of review_findings."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.adapters.eventbridge import EventBridgeRechecks
from emr_log_guard.adapters.sqs import SqsLogObjectQueue
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.config import required
from emr_log_guard.usecases.review_findings import ReviewFindings


def review_findings(env: Mapping[str, str]) -> ReviewFindings:
    """Wire the review of what is open."""
    return ReviewFindings(
        findings=DynamoLedger(clients.dynamodb(), required(env, "FINDINGS_TABLE_NAME")),
        rechecks=EventBridgeRechecks(clients.events(), required(env, "STACK_NAME")),
        objects=SqsLogObjectQueue(clients.sqs(), required(env, "LOG_OBJECTS_QUEUE_URL")),
        clock=utc_now,
    )
