"""The only wiring: each function's use case, made once a cold start from its environment."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger, LedgeredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.memory import RememberedClusters, RememberedKeys, RememberedRoles
from emr_log_guard.adapters.s3 import S3LogObjects
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.adapters.sqs import SqsEnforcementQueue
from emr_log_guard.config import Settings, required
from emr_log_guard.usecases.act import Act
from emr_log_guard.usecases.check_cluster import CheckCluster
from emr_log_guard.usecases.check_log_objects import CheckLogObjects
from emr_log_guard.usecases.enforce import Enforce
from emr_log_guard.usecases.keep_ledger import KeepLedger
from emr_log_guard.usecases.notify_slack import NotifySlack
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject


def check_cluster(env: Mapping[str, str]) -> CheckCluster:
    """Wire the cluster check: every cluster is read afresh, keys and roles are remembered."""
    settings = Settings.from_env(env)
    return CheckCluster(
        clusters=EmrClusters(clients.emr()),
        read_facts=ReadClusterFacts(
            keys=RememberedKeys(KmsKeys(clients.kms)),
            approved_keys=settings.policy.approved_keys,
            roles=RememberedRoles(IamRoles(clients.iam())),
        ),
        keep=_keep(settings, env),
        clock=_utc_now,
        runbook=settings.runbook,
    )


def check_log_objects(env: Mapping[str, str]) -> CheckLogObjects:
    """Wire the log-object check: clusters and keys are remembered."""
    settings = Settings.from_env(env)
    return CheckLogObjects(
        read_object=ReadLogObject(
            clusters=RememberedClusters(LedgeredClusters(EmrClusters(clients.emr()), _ledger(env))),
            objects=S3LogObjects(clients.s3()),
            keys=RememberedKeys(KmsKeys(clients.kms)),
        ),
        policy=settings.policy,
        keep=_keep(settings, env),
        clock=_utc_now,
        runbook=settings.runbook,
    )


def enforce(env: Mapping[str, str]) -> Enforce:
    """Wire the enforcement: nothing is remembered, everything is read again."""
    settings = Settings.from_env(env)
    policy = settings.policy
    clusters = EmrClusters(clients.emr())
    keys = KmsKeys(clients.kms)
    return Enforce(
        clusters=clusters,
        read_facts=ReadClusterFacts(keys, policy.approved_keys),
        read_object=ReadLogObject(RememberedClusters(clusters), S3LogObjects(clients.s3()), keys),
        policy=replace(policy, enforcement=replace(policy.enforcement, allowed=True)),
        alerts=SnsAlerts(clients.sns(), settings.alerts_topic_arn),
        clock=_utc_now,
        runbook=settings.runbook,
    )


def notify_slack(env: Mapping[str, str]) -> NotifySlack:
    """Wire the Slack notification."""
    # Its secret's client and HTTP pool would only slow the other functions' cold start.
    from emr_log_guard.adapters.slack import SlackWebhook  # noqa: PLC0415

    return NotifySlack(SlackWebhook(required(env, "SLACK_WEBHOOK_SECRET_ARN")))


def _ledger(env: Mapping[str, str]) -> DynamoLedger:
    return DynamoLedger(clients.dynamodb(), required(env, "FINDINGS_TABLE_NAME"))


def _keep(settings: Settings, env: Mapping[str, str]) -> KeepLedger:
    return KeepLedger(_ledger(env), settings.policy, _act(settings), _utc_now)


def _act(settings: Settings) -> Act:
    queue_url = settings.enforcement_queue_url
    return Act(
        alerts=SnsAlerts(clients.sns(), settings.alerts_topic_arn),
        queue=SqsEnforcementQueue(clients.sqs(), queue_url) if queue_url else None,
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
