"""The wiring of scan_shard's clusters."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.s3 import S3Buckets
from emr_log_guard.adapters.sessions import AuditSession
from emr_log_guard.bootstrap.check_cluster import cluster_check
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.config import Settings
from emr_log_guard.usecases.scan_clusters import ScanClusters


def scan_clusters(
    settings: Settings, env: Mapping[str, str], session: AuditSession, region: str
) -> ScanClusters:
    """Wire the scan of clusters."""
    clusters, buckets = EmrClusters(session.emr(region)), S3Buckets(session.s3(region))
    check = cluster_check(settings, env, "scan_shard", clusters, buckets)
    return ScanClusters(
        check=check,
        known=DynamoLedger(clients.dynamodb(), settings.findings_table_name),
        read_facts=check.read_facts,
        clock=utc_now,
        runbook=settings.runbook,
    )
