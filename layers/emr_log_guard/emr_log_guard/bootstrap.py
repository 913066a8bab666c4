"""The only wiring: each function's use case, made once a cold start from its environment."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.dynamodb import DynamoLedger, DynamoRescanClaim, LedgeredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.eventbridge import EventBridgeRechecks
from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.memory import (
    RememberedBuckets,
    RememberedClusters,
    RememberedKeys,
    RememberedRoles,
    RememberedSteps,
)
from emr_log_guard.adapters.rescan_results import S3RescanResults
from emr_log_guard.adapters.s3 import S3Buckets, S3LogObjects
from emr_log_guard.adapters.s3_folders import S3LogFolders
from emr_log_guard.adapters.scheduler import EventBridgeSchedules
from emr_log_guard.adapters.sessions import AuditSession, Watch
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.adapters.sqs import SqsEnforcementQueue, SqsLogObjectQueue
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.adapters.step_functions import StepFunctionsExecutions
from emr_log_guard.config import ScheduleSettings, Settings, log_buckets, required
from emr_log_guard.usecases.act import Act, Enforcers
from emr_log_guard.usecases.check_cluster import CheckCluster
from emr_log_guard.usecases.check_key import CheckKey
from emr_log_guard.usecases.check_log_objects import CheckLogObjects
from emr_log_guard.usecases.current_policy import CurrentPolicy
from emr_log_guard.usecases.enforce import Enforce
from emr_log_guard.usecases.finish_rescan import FinishRescan
from emr_log_guard.usecases.keep_ledger import KeepLedger
from emr_log_guard.usecases.notify_slack import NotifySlack
from emr_log_guard.usecases.plan_rescan import PlanRescan
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject
from emr_log_guard.usecases.review_findings import ReviewFindings
from emr_log_guard.usecases.scan_clusters import ScanClusters
from emr_log_guard.usecases.scan_log_objects import ScanLogObjects
from emr_log_guard.usecases.scan_shard import ScanShard


def check_cluster(env: Mapping[str, str]) -> CheckCluster:
    """Wire the cluster check: every cluster is read afresh, keys and roles are remembered."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    return _check_cluster(settings, clusters, _keep(settings, env, "check_cluster"))


def _check_cluster(settings: Settings, clusters: EmrClusters, keep: KeepLedger) -> CheckCluster:
    afresh = ReadClusterFacts(
        keys=KmsKeys(clients.kms),
        roles=IamRoles(clients.iam()),
        workloads=clusters,
        buckets=S3Buckets(clients.s3()),
        checked_buckets=settings.log_buckets,
    )
    return CheckCluster(
        clusters=clusters,
        read_facts=replace(
            afresh,
            keys=RememberedKeys(KmsKeys(clients.kms)),
            roles=RememberedRoles(IamRoles(clients.iam())),
            buckets=RememberedBuckets(S3Buckets(clients.s3())),
        ),
        read_afresh=afresh,
        policy=_policy(settings),
        ledger=_ledger(settings.findings_table_name),
        keep=keep,
        clock=_utc_now,
        runbook=settings.runbook,
    )


def check_log_objects(env: Mapping[str, str]) -> CheckLogObjects:
    """Wire the log-object check: clusters, their steps and keys are remembered."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    ledger = _ledger(settings.findings_table_name)
    return CheckLogObjects(
        read_object=ReadLogObject(
            clusters=RememberedClusters(LedgeredClusters(clusters, ledger)),
            objects=S3LogObjects(clients.s3()),
            keys=RememberedKeys(KmsKeys(clients.kms)),
            steps=RememberedSteps(clusters),
        ),
        policy=_policy(settings),
        ledger=ledger,
        keep=_keep(settings, env, "check_log_objects"),
        clock=_utc_now,
        runbook=settings.runbook,
    )


def check_key(env: Mapping[str, str]) -> CheckKey:
    """Wire the key check."""
    return CheckKey(
        keys=KmsKeys(clients.kms),
        clusters=_ledger(required(env, "FINDINGS_TABLE_NAME")),
        rechecks=EventBridgeRechecks(clients.events()),
    )


def review_findings(env: Mapping[str, str]) -> ReviewFindings:
    """Wire the review of what is open."""
    return ReviewFindings(
        findings=_ledger(required(env, "FINDINGS_TABLE_NAME")),
        rechecks=EventBridgeRechecks(clients.events()),
        objects=SqsLogObjectQueue(clients.sqs(), required(env, "LOG_OBJECTS_QUEUE_URL")),
    )


def plan_rescan(env: Mapping[str, str]) -> PlanRescan:
    """Wire the planning of a re-scan."""
    session, region = _patient_session(), required(env, "AWS_DEFAULT_REGION")
    table = required(env, "FINDINGS_TABLE_NAME")
    return PlanRescan(
        claim=DynamoRescanClaim(clients.dynamodb(), table),
        executions=StepFunctionsExecutions(clients.states()),
        clusters=EmrClusters(session.emr(region)),
        folders=S3LogFolders(session.s3(region), session.quick_heads(region)),
        ledger=_ledger(table),
        results=_rescan_results(env),
        clock=_utc_now,
        checked_buckets=log_buckets(env),
    )


def scan_shard(env: Mapping[str, str]) -> ScanShard:
    """Wire a re-scan's shard: EMR and S3 are asked as fast as they let us, by all threads."""
    settings = Settings.from_env(env)
    session, region = _patient_session(), required(env, "AWS_DEFAULT_REGION")
    clusters = EmrClusters(session.emr(region))
    keep = _keep(settings, env, "scan_shard")
    check = _check_cluster(settings, clusters, keep)
    ledger = _ledger(settings.findings_table_name)
    return ScanShard(
        clusters=ScanClusters(
            check=check,
            known=ledger,
            ledger=ledger,
            keep=keep,
            read_facts=check.read_facts,
            clock=_utc_now,
            runbook=settings.runbook,
        ),
        log_objects=ScanLogObjects(
            folders=S3LogFolders(session.s3(region), session.quick_heads(region)),
            clusters=LedgeredClusters(clusters, ledger),
            keys=check.read_facts.keys,
            steps=RememberedSteps(clusters),
            policy=check.policy,
            clock=_utc_now,
            runbook=settings.runbook,
            checked_buckets=settings.log_buckets,
        ),
        results=_rescan_results(env),
    )


def finish_rescan(env: Mapping[str, str]) -> FinishRescan:
    """Wire the end of a re-scan."""
    settings = Settings.from_env(env)
    return FinishRescan(
        results=_rescan_results(env),
        ledger=_ledger(settings.findings_table_name),
        keep=_keep(settings, env, "finish_rescan"),
        policy=_policy(settings),
        alerts=SnsAlerts(clients.sns(), settings.alerts_topic_arn),
        clock=_utc_now,
    )


def enforce(env: Mapping[str, str]) -> Enforce:
    """Wire the enforcement: all is read again, but the settings that a cluster keeps for life."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    keys = KmsKeys(clients.kms)
    alerts = SnsAlerts(clients.sns(), settings.alerts_topic_arn)
    ledger = _ledger(settings.findings_table_name)
    return Enforce(
        clusters=clusters,
        read_facts=ReadClusterFacts(keys, workloads=clusters),
        read_object=ReadLogObject(
            RememberedClusters(clusters), S3LogObjects(clients.s3()), keys, clusters
        ),
        policy=CurrentPolicy(
            SsmPolicyParameter(clients.ssm(), settings.policy_parameter_name),
            alerts,
            allowed=True,  # this function is only in stacks that may
            remember=False,
        ),
        ledger=ledger,
        # It asks nobody for enforcement: what it tells through the ledger is over.
        keep=KeepLedger(ledger, Act(alerts), _utc_now, "enforce"),
        alerts=alerts,
        queue=SqsEnforcementQueue(clients.sqs(), required(env, "ENFORCEMENT_QUEUE_URL")),
        clock=_utc_now,
        runbook=settings.runbook,
    )


def notify_slack(env: Mapping[str, str]) -> NotifySlack:
    """Wire the Slack notification."""
    # Its secret's client and HTTP pool would only slow the other functions' cold start.
    from emr_log_guard.adapters.slack import SlackWebhook  # noqa: PLC0415

    return NotifySlack(SlackWebhook(required(env, "SLACK_WEBHOOK_SECRET_ARN")))


def _patient_session() -> AuditSession:
    """Make clients that wait for their turn when AWS throttles."""
    return AuditSession.of_caller(Watch(CallCount(), Event()))


def _rescan_results(env: Mapping[str, str]) -> S3RescanResults:
    return S3RescanResults(clients.s3(), required(env, "REPORTS_BUCKET_NAME"))


def _policy(settings: Settings) -> CurrentPolicy:
    return CurrentPolicy(
        SsmPolicyParameter(clients.ssm(), settings.policy_parameter_name),
        SnsAlerts(clients.sns(), settings.alerts_topic_arn),
        allowed=settings.enforcement_queue_url is not None,
    )


def _ledger(table: str) -> DynamoLedger:
    return DynamoLedger(clients.dynamodb(), table)


def _keep(settings: Settings, env: Mapping[str, str], by: str) -> KeepLedger:
    return KeepLedger(
        _ledger(settings.findings_table_name),
        Act(SnsAlerts(clients.sns(), settings.alerts_topic_arn), _enforcers(settings, env)),
        _utc_now,
        by,
    )


def _enforcers(settings: Settings, env: Mapping[str, str]) -> Enforcers | None:
    queue_url = settings.enforcement_queue_url
    if queue_url is None:
        return None
    return Enforcers(
        SqsEnforcementQueue(clients.sqs(), queue_url),
        EventBridgeSchedules(clients.scheduler(), ScheduleSettings.from_env(env), _utc_now),
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
