"""The wiring of scan_shard's log objects."""

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.approved_targets import DynamoApprovedTargets
from emr_log_guard.adapters.dynamodb import DynamoLedger, LedgeredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.memory import RememberedHistories, RememberedKeys, RememberedSteps
from emr_log_guard.adapters.s3_folders import S3LogFolders
from emr_log_guard.adapters.sessions import AuditSession
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.bootstrap.parts import current_policy
from emr_log_guard.config import Settings
from emr_log_guard.usecases.scan_log_objects import ScanLogObjects


def scan_log_objects(settings: Settings, session: AuditSession, region: str) -> ScanLogObjects:
    """Wire the scan of log objects."""
    clusters = EmrClusters(session.emr(region))
    ledger = DynamoLedger(clients.dynamodb(), settings.findings_table_name)
    return ScanLogObjects(
        folders=S3LogFolders(session.s3(region)),
        clusters=LedgeredClusters(clusters, ledger),
        keys=RememberedKeys(KmsKeys(clients.kms)),
        steps=RememberedSteps(clusters),
        histories=RememberedHistories(ledger),
        approved_targets=DynamoApprovedTargets(clients.dynamodb(), settings.findings_table_name),
        policy=current_policy(settings),
        clock=utc_now,
        runbook=settings.runbook,
        checked_buckets=settings.log_buckets,
    )
