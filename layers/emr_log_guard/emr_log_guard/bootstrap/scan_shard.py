"""The wiring of scan_shard: EMR and S3 are asked as fast as they let us, by all threads."""

from collections.abc import Mapping

from emr_log_guard.adapters.dynamodb import LedgeredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.memory import RememberedSteps
from emr_log_guard.adapters.rescan_results import S3RescanResults
from emr_log_guard.adapters.s3 import S3Buckets
from emr_log_guard.adapters.s3_folders import S3LogFolders
from emr_log_guard.bootstrap import completes_start
from emr_log_guard.bootstrap.check_cluster import cluster_check
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.bootstrap.parts import keep_ledger, ledger_in
from emr_log_guard.bootstrap.patience import patient_session
from emr_log_guard.config import Settings, required
from emr_log_guard.usecases.scan_clusters import ScanClusters
from emr_log_guard.usecases.scan_log_objects import ScanLogObjects
from emr_log_guard.usecases.scan_shard import ScanShard


@completes_start
def scan_shard(env: Mapping[str, str]) -> ScanShard:
    """Wire a re-scan's shard."""
    settings = Settings.from_env(env)
    session, region = patient_session(), required(env, "AWS_DEFAULT_REGION")
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
