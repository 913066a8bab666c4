"""The wiring: each function's use case, made once a cold start from its environment.

That of re-scans is in bootstrap_rescan.py: no other function's cold start pays for it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from emr_log_guard import cold_start
from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger, LedgeredClusters
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
from emr_log_guard.adapters.s3 import S3Buckets, S3LogObjects
from emr_log_guard.adapters.scheduler import EventBridgeSchedules
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.adapters.sqs import SqsEnforcementQueue, SqsLogObjectQueue
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.config import ScheduleSettings, Settings, required
from emr_log_guard.usecases.act import Act, Enforcers
from emr_log_guard.usecases.check_cluster import CheckCluster
from emr_log_guard.usecases.check_key import CheckKey
from emr_log_guard.usecases.check_log_objects import CheckLogObjects
from emr_log_guard.usecases.current_policy import CurrentPolicy
from emr_log_guard.usecases.enforce import Enforce
from emr_log_guard.usecases.keep_ledger import KeepLedger
from emr_log_guard.usecases.notify_amazon_q import NotifyAmazonQ
from emr_log_guard.usecases.notify_slack import NotifySlack
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject
from emr_log_guard.usecases.review_findings import ReviewFindings

if TYPE_CHECKING:
    from emr_log_guard.adapters.security_hub import SecurityHub


@cold_start.completes_start
def check_cluster(env: Mapping[str, str]) -> CheckCluster:
    """Wire the cluster check: every cluster is read afresh, keys and roles are remembered."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    keep = keep_ledger(settings, env, "check_cluster")
    return cluster_check(settings, clusters, S3Buckets(clients.s3()), keep)


def cluster_check(
    settings: Settings, clusters: EmrClusters, buckets: S3Buckets, keep: KeepLedger
) -> CheckCluster:
    """Wire the cluster check to whoever reads clusters and buckets, and keeps the ledger."""
    afresh = ReadClusterFacts(
        keys=KmsKeys(clients.kms),
        roles=IamRoles(clients.iam()),
        workloads=clusters,
        buckets=buckets,
        checked_buckets=settings.log_buckets,
    )
    return CheckCluster(
        clusters=clusters,
        read_facts=replace(
            afresh,
            keys=RememberedKeys(KmsKeys(clients.kms)),
            roles=RememberedRoles(IamRoles(clients.iam())),
            buckets=RememberedBuckets(buckets),
        ),
        read_afresh=afresh,
        policy=current_policy(settings),
        ledger=ledger_in(settings.findings_table_name),
        keep=keep,
        clock=utc_now,
        runbook=settings.runbook,
    )


@cold_start.completes_start
def check_log_objects(env: Mapping[str, str]) -> CheckLogObjects:
    """Wire the log-object check: clusters, their steps and keys are remembered."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    ledger = ledger_in(settings.findings_table_name)
    return CheckLogObjects(
        read_object=ReadLogObject(
            clusters=RememberedClusters(LedgeredClusters(clusters, ledger)),
            objects=S3LogObjects(clients.s3()),
            keys=RememberedKeys(KmsKeys(clients.kms)),
            steps=RememberedSteps(clusters),
        ),
        policy=current_policy(settings),
        ledger=ledger,
        keep=keep_ledger(settings, env, "check_log_objects"),
        clock=utc_now,
        runbook=settings.runbook,
    )


@cold_start.completes_start
def check_key(env: Mapping[str, str]) -> CheckKey:
    """Wire the key check."""
    return CheckKey(
        keys=KmsKeys(clients.kms),
        clusters=ledger_in(required(env, "FINDINGS_TABLE_NAME")),
        rechecks=EventBridgeRechecks(clients.events()),
    )


@cold_start.completes_start
def review_findings(env: Mapping[str, str]) -> ReviewFindings:
    """Wire the review of what is open."""
    return ReviewFindings(
        findings=ledger_in(required(env, "FINDINGS_TABLE_NAME")),
        rechecks=EventBridgeRechecks(clients.events()),
        objects=SqsLogObjectQueue(clients.sqs(), required(env, "LOG_OBJECTS_QUEUE_URL")),
    )


@cold_start.completes_start
def enforce(env: Mapping[str, str]) -> Enforce:
    """Wire the enforcement: all is read again, but the settings that a cluster keeps for life."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    keys = KmsKeys(clients.kms)
    alerts = SnsAlerts(clients.sns(), settings.alerts_topic_arn)
    ledger = ledger_in(settings.findings_table_name)
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
        keep=KeepLedger(ledger, Act(alerts), utc_now, "enforce"),
        alerts=alerts,
        queue=SqsEnforcementQueue(clients.sqs(), required(env, "ENFORCEMENT_QUEUE_URL")),
        rechecks=EventBridgeRechecks(clients.events()),
        clock=utc_now,
        runbook=settings.runbook,
        suppressions=_suppressions(env),
    )


def _suppressions(env: Mapping[str, str]) -> "SecurityHub | None":
    product_arn = env.get("SECURITY_HUB_PRODUCT_ARN")
    if not product_arn:
        return None
    # Most stacks do without it.
    from emr_log_guard.adapters.security_hub import SecurityHub  # noqa: PLC0415

    return SecurityHub(clients.security_hub(), product_arn)


@cold_start.completes_start
def notify_slack(env: Mapping[str, str]) -> NotifySlack:
    """Wire the Slack notification."""
    # Slack's SDK would only slow the other functions' cold start.
    from emr_log_guard.adapters.slack import SlackWebhooks  # noqa: PLC0415

    # The functions that judge tell of a policy that cannot be gone by.
    parameter = SsmPolicyParameter(clients.ssm(), required(env, "POLICY_PARAMETER_NAME"))
    return NotifySlack(
        SlackWebhooks(),
        CurrentPolicy(parameter, None, allowed=False),
        required(env, "SLACK_WEBHOOK_SECRET_ARN"),
    )


@cold_start.completes_start
def notify_amazon_q(env: Mapping[str, str]) -> NotifyAmazonQ:
    """Wire the notification of Amazon Q."""
    from emr_log_guard.adapters.sns_amazon_q import SnsAmazonQ  # noqa: PLC0415 - as above

    return NotifyAmazonQ(SnsAmazonQ(clients.sns(), required(env, "AMAZON_Q_TOPIC_ARN")))


def current_policy(settings: Settings) -> CurrentPolicy:
    """Wire the policy in force."""
    return CurrentPolicy(
        SsmPolicyParameter(clients.ssm(), settings.policy_parameter_name),
        SnsAlerts(clients.sns(), settings.alerts_topic_arn),
        allowed=settings.enforcement_queue_url is not None,
    )


def ledger_in(table: str) -> DynamoLedger:
    """Wire the ledger."""
    return DynamoLedger(clients.dynamodb(), table)


def keep_ledger(settings: Settings, env: Mapping[str, str], by: str) -> KeepLedger:
    """Wire what a function enters and tells."""
    return KeepLedger(
        ledger_in(settings.findings_table_name),
        Act(SnsAlerts(clients.sns(), settings.alerts_topic_arn), _enforcers(settings, env)),
        utc_now,
        by,
    )


def _enforcers(settings: Settings, env: Mapping[str, str]) -> Enforcers | None:
    queue_url = settings.enforcement_queue_url
    if queue_url is None:
        return None
    return Enforcers(
        SqsEnforcementQueue(clients.sqs(), queue_url),
        EventBridgeSchedules(clients.scheduler(), ScheduleSettings.from_env(env), utc_now),
    )


def utc_now() -> datetime:
    """Say what time it is."""
    return datetime.now(UTC)
