"""The wiring of finish_rescan."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.adapters.rescan_results import S3RescanResults
from emr_log_guard.adapters.sns_rescans import SnsRescanAlerts
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.bootstrap.parts import action_dispatcher, current_policy, finding_recorder
from emr_log_guard.config import Settings, required
from emr_log_guard.usecases.finish_rescan import FinishRescan


def finish_rescan(env: Mapping[str, str]) -> FinishRescan:
    """Wire the end of a re-scan."""
    settings = Settings.from_env(env)
    policy = current_policy(settings)
    return FinishRescan(
        results=S3RescanResults(clients.s3(), required(env, "REPORTS_BUCKET_NAME")),
        ledger=DynamoLedger(clients.dynamodb(), settings.findings_table_name),
        recorder=finding_recorder(settings, "finish_rescan", policy),
        dispatcher=action_dispatcher(settings, env),
        policy=policy,
        alerts=SnsRescanAlerts(clients.sns(), settings.alerts_topic_arn),
        clock=utc_now,
        checked_buckets=settings.log_buckets,
    )
