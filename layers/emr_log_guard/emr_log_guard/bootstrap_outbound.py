"""The wiring of what tells other services: Security Hub and event buses."""

from collections.abc import Mapping

from emr_log_guard import cold_start
from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoWords
from emr_log_guard.adapters.eventbridge import EventBridgeBus
from emr_log_guard.adapters.security_hub import SecurityHub
from emr_log_guard.adapters.sqs import SqsUnimported
from emr_log_guard.bootstrap import ledger_in, utc_now
from emr_log_guard.config import required
from emr_log_guard.usecases.emit_events import EmitEvents
from emr_log_guard.usecases.import_findings import ImportFindings


@cold_start.completes_start
def import_findings(env: Mapping[str, str]) -> ImportFindings:
    """Wire the import into Security Hub."""
    table = required(env, "FINDINGS_TABLE_NAME")
    return ImportFindings(
        ledger=ledger_in(table),
        words=DynamoWords(clients.dynamodb(), table),
        hub=SecurityHub(clients.security_hub(), required(env, "SECURITY_HUB_PRODUCT_ARN")),
        unimported=SqsUnimported(clients.sqs(), required(env, "DEAD_LETTER_QUEUE_URL")),
        clock=utc_now,
    )


@cold_start.completes_start
def emit_events(env: Mapping[str, str]) -> EmitEvents:
    """Wire the guard's events."""
    return EmitEvents(EventBridgeBus(clients.events(), required(env, "EVENT_BUS_ARN")))
