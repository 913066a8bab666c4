"""Wiring of re-scans."""

from collections.abc import Mapping
from threading import Event

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.cache import (
    CachedBuckets,
    CachedHistories,
    CachedKeys,
    CachedSteps,
    CachePolicy,
)
from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.dynamodb import DynamoRescanLease, StoredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.rate_limiter import Limit
from emr_log_guard.adapters.rescan_results import S3RescanResults
from emr_log_guard.adapters.s3 import S3Buckets, S3Folders, S3LogFolders
from emr_log_guard.adapters.sessions import AuditSession, Watch
from emr_log_guard.adapters.sns import SnsRescanAlerts
from emr_log_guard.adapters.stepfunctions import StepFunctionsExecutions
from emr_log_guard.bootstrap import shared
from emr_log_guard.bootstrap.checks import cluster_check
from emr_log_guard.config import Settings
from emr_log_guard.domain.emr_rates import rescan_rates
from emr_log_guard.usecases.rescan.clusters import ScanClusters
from emr_log_guard.usecases.rescan.finish import FinishRescan
from emr_log_guard.usecases.rescan.log_objects import RequestReencryption, ScanLogObjects
from emr_log_guard.usecases.rescan.plan import PlanRescan
from emr_log_guard.usecases.rescan.record import RecordLogObjects
from emr_log_guard.usecases.rescan.shard import ScanShard


def plan_rescan(env: Mapping[str, str]) -> PlanRescan:
    """Wire the planning of a re-scan."""
    settings, session = Settings.from_env(env), _throttled_session()
    s3 = session.s3(settings.region)
    return PlanRescan(
        lease=DynamoRescanLease(clients.dynamodb(), settings.findings_table_name),
        executions=StepFunctionsExecutions(clients.states()),
        clusters=EmrClusters(clients.emr()),
        folders=S3Folders(s3),
        repository=shared.repository(settings),
        results=S3RescanResults(s3, settings.reports_bucket_name),
        clock=shared.utc_now,
        checked_buckets=settings.log_buckets,
        policy=shared.policy_without_alerts(settings),
    )


def scan_shard(env: Mapping[str, str]) -> ScanShard:
    """Wire a re-scan's shard: clusters are read at the rate of the share, S3 as fast as it allows.

    The authors of log objects are rarely read from EMR: an unknown cluster, or the steps of one
    whose own settings do not explain an object.
    """
    settings, session = Settings.from_env(env), _throttled_session()
    s3, clusters = session.s3(settings.region), EmrClusters(clients.emr())
    rates = rescan_rates(settings.emr_api_share)
    limits = {action: Limit(rate) for action, rate in rates.items()}
    at_the_share = EmrClusters(clients.limited_emr(limits))
    check = cluster_check(settings, "scan_shard", at_the_share, S3Buckets(s3))
    repository = shared.repository(settings)
    record = RecordLogObjects(check.recorder, check.dispatcher, check.policy)
    queue = shared.reencryption_queue(settings)
    return ScanShard(
        clusters=ScanClusters(
            check=check,
            known=repository,
            read_facts=check.read_facts,
            clock=shared.utc_now,
            runbook=settings.runbook,
        ),
        log_objects=ScanLogObjects(
            folders=S3LogFolders(s3),
            clusters=StoredClusters(clusters, repository),
            # Millions of log objects may name a key that was deleted.
            keys=CachedKeys(KmsKeys(clients.kms), retention=CachePolicy(missing_keys=True)),
            steps=CachedSteps(clusters),
            buckets=CachedBuckets(S3Buckets(s3)),
            histories=CachedHistories(repository),
            approved_targets=shared.approved_targets(settings),
            policy=check.policy,
            clock=shared.utc_now,
            runbook=settings.runbook,
            checked_buckets=settings.log_buckets,
            reencryption=RequestReencryption(repository, record, queue) if queue else None,
        ),
        results=S3RescanResults(s3, settings.reports_bucket_name),
    )


def finish_rescan(env: Mapping[str, str]) -> FinishRescan:
    """Wire the completion of a re-scan."""
    settings = Settings.from_env(env)
    policy = shared.current_policy(settings)
    return FinishRescan(
        results=S3RescanResults(clients.s3(), settings.reports_bucket_name),
        repository=shared.repository(settings),
        recorder=shared.finding_recorder(settings, "finish_rescan", policy),
        dispatcher=shared.action_dispatcher(settings),
        policy=policy,
        alerts=SnsRescanAlerts(clients.sns(), settings.alerts_topic_arn),
        clock=shared.utc_now,
        checked_buckets=settings.log_buckets,
    )


def _throttled_session() -> AuditSession:
    """Make clients that back off when AWS throttles."""
    return AuditSession(clients.shared_session(), Watch(CallCount(), Event()))
