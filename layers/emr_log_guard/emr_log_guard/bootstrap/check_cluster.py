"""The wiring of check_cluster: every cluster is read afresh, keys and roles are remembered."""

from collections.abc import Mapping
from dataclasses import replace

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.approved_targets import DynamoApprovedTargets
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.memory import RememberedBuckets, RememberedKeys, RememberedRoles
from emr_log_guard.adapters.s3 import S3Buckets
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.bootstrap.parts import (
    action_dispatcher,
    current_policy,
    finding_recorder,
    policy_history,
)
from emr_log_guard.config import Settings
from emr_log_guard.usecases.check_cluster import CheckCluster
from emr_log_guard.usecases.notify_missing_keys import NotifyMissingKeys
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts


def check_cluster(env: Mapping[str, str]) -> CheckCluster:
    """Wire the cluster check."""
    settings = Settings.from_env(env)
    clusters, buckets = EmrClusters(clients.emr()), S3Buckets(clients.s3())
    return cluster_check(settings, env, "check_cluster", clusters, buckets)


def cluster_check(
    settings: Settings,
    env: Mapping[str, str],
    by: str,
    clusters: EmrClusters,
    buckets: S3Buckets,
) -> CheckCluster:
    """Wire the cluster check of a function to whoever reads clusters and buckets."""
    policy = current_policy(settings)
    afresh = ReadClusterFacts(
        keys=KmsKeys(clients.kms),
        roles=IamRoles(clients.iam()),
        workloads=clusters,
        buckets=buckets,
        bucket_owners=buckets,
        checked_buckets=settings.log_buckets,
        approved_targets=DynamoApprovedTargets(clients.dynamodb(), settings.findings_table_name),
    )
    remembered = RememberedBuckets(buckets)
    return CheckCluster(
        clusters=clusters,
        read_facts=replace(
            afresh,
            keys=RememberedKeys(KmsKeys(clients.kms)),
            roles=RememberedRoles(IamRoles(clients.iam())),
            buckets=remembered,
            bucket_owners=remembered,
        ),
        read_afresh=afresh,
        policy=policy,
        ledger=DynamoLedger(clients.dynamodb(), settings.findings_table_name),
        recorder=finding_recorder(settings, by, policy),
        dispatcher=action_dispatcher(settings, env),
        notify_missing_keys=NotifyMissingKeys(
            settings.policy_parameter_name,
            policy_history(settings),
            SnsAlerts(clients.sns, settings.alerts_topic_arn),
            utc_now,
        ),
        clock=utc_now,
        runbook=settings.runbook,
    )
