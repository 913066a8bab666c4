"""The wiring of import_findings."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger, DynamoWords
from emr_log_guard.adapters.security_hub import SecurityHub
from emr_log_guard.adapters.sqs import SqsUnimported
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.config import required
from emr_log_guard.usecases.import_findings import ImportFindings


def import_findings(env: Mapping[str, str]) -> ImportFindings:
    """Wire the import into Security Hub."""
    table = required(env, "FINDINGS_TABLE_NAME")
    return ImportFindings(
        ledger=DynamoLedger(clients.dynamodb(), table),
        words=DynamoWords(clients.dynamodb(), table),
        hub=SecurityHub(clients.security_hub(), required(env, "SECURITY_HUB_PRODUCT_ARN")),
        unimported=SqsUnimported(clients.sqs(), required(env, "DEAD_LETTER_QUEUE_URL")),
        clock=utc_now,
    )
