"""The wiring of re-scans, made once a cold start from their functions' environment."""

from collections.abc import Mapping
from threading import Event

from emr_log_guard import cold_start
from emr_log_guard.adapters import clients
from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.dynamodb import DynamoRescanClaim, LedgeredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.memory import RememberedSteps
from emr_log_guard.adapters.rescan_results import S3RescanResults
from emr_log_guard.adapters.s3 import S3Buckets
from emr_log_guard.adapters.s3_folders import S3Folders, S3LogFolders
from emr_log_guard.adapters.sessions import AuditSession, Watch
from emr_log_guard.adapters.sns_rescans import SnsRescanAlerts
from emr_log_guard.adapters.step_functions import StepFunctionsExecutions
from emr_log_guard.bootstrap import (
    cluster_check,
    current_policy,
    keep_ledger,
    ledger_in,
    utc_now,
)
from emr_log_guard.config import Settings, log_buckets, required
from emr_log_guard.usecases.finish_rescan import FinishRescan
from emr_log_guard.usecases.plan_rescan import PlanRescan
from emr_log_guard.usecases.scan_clusters import ScanClusters
from emr_log_guard.usecases.scan_log_objects import ScanLogObjects
from emr_log_guard.usecases.scan_shard import ScanShard


@cold_start.completes_start
def plan_rescan(env: Mapping[str, str]) -> PlanRescan:
    """Wire the planning of a re-scan."""
    session, region = _patient_session(), required(env, "AWS_DEFAULT_REGION")
    table, s3 = required(env, "FINDINGS_TABLE_NAME"), session.s3(region)
    return PlanRescan(
        claim=DynamoRescanClaim(clients.dynamodb(), table),
        executions=StepFunctionsExecutions(clients.states()),
        clusters=EmrClusters(session.emr(region)),
        folders=S3Folders(s3),
        ledger=ledger_in(table),
        results=S3RescanResults(s3, required(env, "REPORTS_BUCKET_NAME")),
        clock=utc_now,
        checked_buckets=log_buckets(env),
    )


@cold_start.completes_start
def scan_shard(env: Mapping[str, str]) -> ScanShard:
    """Wire a re-scan's shard: EMR and S3 are asked as fast as they let us, by all threads."""
    settings = Settings.from_env(env)
    session, region = _patient_session(), required(env, "AWS_DEFAULT_REGION")
    clusters, s3 = EmrClusters(session.emr(region)), session.s3(region)
    keep = keep_ledger(settings, env, "scan_shard")
    check = cluster_check(settings, clusters, S3Buckets(s3), keep)
    ledger = ledger_in(settings.findings_table_name)
    return ScanShard(
        clusters=ScanClusters(
            check=check,
            known=ledger,
            ledger=ledger,
            keep=keep,
            read_facts=check.read_facts,
            clock=utc_now,
            runbook=settings.runbook,
        ),
        log_objects=ScanLogObjects(
            folders=S3LogFolders(s3, session.quick_heads(region)),
            clusters=LedgeredClusters(clusters, ledger),
            keys=check.read_facts.keys,
            steps=RememberedSteps(clusters),
            policy=check.policy,
            clock=utc_now,
            runbook=settings.runbook,
            checked_buckets=settings.log_buckets,
        ),
        results=S3RescanResults(s3, required(env, "REPORTS_BUCKET_NAME")),
    )


@cold_start.completes_start
def finish_rescan(env: Mapping[str, str]) -> FinishRescan:
    """Wire the end of a re-scan."""
    settings = Settings.from_env(env)
    return FinishRescan(
        results=S3RescanResults(clients.s3(), required(env, "REPORTS_BUCKET_NAME")),
        ledger=ledger_in(settings.findings_table_name),
        keep=keep_ledger(settings, env, "finish_rescan"),
        policy=current_policy(settings),
        alerts=SnsRescanAlerts(clients.sns(), settings.alerts_topic_arn),
        clock=utc_now,
        checked_buckets=settings.log_buckets,
    )


def _patient_session() -> AuditSession:
    """Make clients that wait for their turn when AWS throttles."""
    return AuditSession(clients.shared_session(), Watch(CallCount(), Event()))
