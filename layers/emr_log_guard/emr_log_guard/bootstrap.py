"""The only wiring: each function's use case, made once a cold start from its environment."""

from collections.abc import Mapping
from datetime import UTC, datetime

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.emr import EmrClusters
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
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.adapters.sqs import SqsEnforcementQueue
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.config import Settings, required
from emr_log_guard.usecases.act import Act
from emr_log_guard.usecases.check_cluster import CheckCluster
from emr_log_guard.usecases.check_log_objects import CheckLogObjects
from emr_log_guard.usecases.current_policy import CurrentPolicy
from emr_log_guard.usecases.enforce import Enforce
from emr_log_guard.usecases.notify_slack import NotifySlack
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject


def check_cluster(env: Mapping[str, str]) -> CheckCluster:
    """Wire the cluster check: every cluster is read afresh, keys and roles are remembered."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    return CheckCluster(
        clusters=clusters,
        read_facts=ReadClusterFacts(
            keys=RememberedKeys(KmsKeys(clients.kms)),
            roles=RememberedRoles(IamRoles(clients.iam())),
            workloads=clusters,
            buckets=RememberedBuckets(S3Buckets(clients.s3())),
            checked_buckets=settings.log_buckets,
        ),
        policy=_policy(settings),
        act=_act(settings),
        clock=_utc_now,
        runbook=settings.runbook,
    )


def check_log_objects(env: Mapping[str, str]) -> CheckLogObjects:
    """Wire the log-object check: clusters, their steps and keys are remembered."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    return CheckLogObjects(
        read_object=ReadLogObject(
            clusters=RememberedClusters(clusters),
            objects=S3LogObjects(clients.s3()),
            keys=RememberedKeys(KmsKeys(clients.kms)),
            steps=RememberedSteps(clusters),
        ),
        policy=_policy(settings),
        act=_act(settings),
        clock=_utc_now,
        runbook=settings.runbook,
    )


def enforce(env: Mapping[str, str]) -> Enforce:
    """Wire the enforcement: all is read again, but the settings that a cluster keeps for life."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    keys = KmsKeys(clients.kms)
    alerts = SnsAlerts(clients.sns(), settings.alerts_topic_arn)
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
        alerts=alerts,
        clock=_utc_now,
        runbook=settings.runbook,
    )


def notify_slack(env: Mapping[str, str]) -> NotifySlack:
    """Wire the Slack notification."""
    # Its secret's client and HTTP pool would only slow the other functions' cold start.
    from emr_log_guard.adapters.slack import SlackWebhook  # noqa: PLC0415

    return NotifySlack(SlackWebhook(required(env, "SLACK_WEBHOOK_SECRET_ARN")))


def _policy(settings: Settings) -> CurrentPolicy:
    return CurrentPolicy(
        SsmPolicyParameter(clients.ssm(), settings.policy_parameter_name),
        SnsAlerts(clients.sns(), settings.alerts_topic_arn),
        allowed=settings.enforcement_queue_url is not None,
    )


def _act(settings: Settings) -> Act:
    queue_url = settings.enforcement_queue_url
    return Act(
        alerts=SnsAlerts(clients.sns(), settings.alerts_topic_arn),
        queue=SqsEnforcementQueue(clients.sqs(), queue_url) if queue_url else None,
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
