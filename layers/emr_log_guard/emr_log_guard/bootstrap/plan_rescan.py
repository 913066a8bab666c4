"""The wiring of plan_rescan."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger, DynamoRescanClaim
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.rescan_results import S3RescanResults
from emr_log_guard.adapters.s3_folders import S3Folders
from emr_log_guard.adapters.step_functions import StepFunctionsExecutions
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.bootstrap.patience import patient_session
from emr_log_guard.config import log_buckets, required
from emr_log_guard.usecases.plan_rescan import PlanRescan


def plan_rescan(env: Mapping[str, str]) -> PlanRescan:
    """Wire the planning of a re-scan."""
    session, region = patient_session(), required(env, "AWS_DEFAULT_REGION")
    table, s3 = required(env, "FINDINGS_TABLE_NAME"), session.s3(region)
    dynamodb = clients.dynamodb()
    return PlanRescan(
        claim=DynamoRescanClaim(dynamodb, table),
        executions=StepFunctionsExecutions(clients.states()),
        clusters=EmrClusters(session.emr(region)),
        folders=S3Folders(s3),
        ledger=DynamoLedger(dynamodb, table),
        results=S3RescanResults(s3, required(env, "REPORTS_BUCKET_NAME")),
        clock=utc_now,
        checked_buckets=log_buckets(env),
    )
