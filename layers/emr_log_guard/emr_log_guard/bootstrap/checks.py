"""Wiring of the checks of clusters, log objects and keys, and of the review."""

from collections.abc import Mapping
from dataclasses import replace

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.cache import (
    CachedBuckets,
    CachedClusters,
    CachedHistories,
    CachedKeys,
    CachedRoles,
    CachedSteps,
)
from emr_log_guard.adapters.dynamodb import StoredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.events import EventBridgeRechecks
from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.rate_limiter import Limit
from emr_log_guard.adapters.s3 import S3Buckets, S3LogObjects
from emr_log_guard.adapters.sns import SnsPolicyChangeAlerts
from emr_log_guard.adapters.sqs import SqsLogObjectQueue, SqsRedelivery
from emr_log_guard.bootstrap import shared
from emr_log_guard.config import Settings, required
from emr_log_guard.domain.emr_rates import Rate, check_rates, first_read_rates, rechecks_per_review
from emr_log_guard.usecases.checks.cluster import CheckCluster, CheckClusters
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.checks.key import CheckKey
from emr_log_guard.usecases.checks.log_buckets import CheckLogBuckets
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject
from emr_log_guard.usecases.checks.log_objects import CheckLogObjects
from emr_log_guard.usecases.checks.review import ReviewFindings
from emr_log_guard.usecases.policy import NotifyPolicyChange

FIRST_READ_SECONDS = 10
"""How long a launch may wait until it is described; until its steps are listed it waits in the
queue, as anything else does that the guard's share of the quotas does not allow yet."""


def check_clusters(env: Mapping[str, str]) -> CheckClusters:
    """Wire the check of clusters: no read waits for one that is less urgent."""
    settings = Settings.from_env(env)
    share = settings.emr_api_share
    first = _at_once(first_read_rates(share))
    first["DescribeCluster"] = Limit(
        first["DescribeCluster"].rate, FIRST_READ_SECONDS, FIRST_READ_SECONDS
    )
    pages = clients.emr()
    check = cluster_check(
        settings,
        "check_cluster",
        EmrClusters(clients.limited_emr(_at_once(check_rates(share))), pages),
        S3Buckets(clients.s3()),
        EmrClusters(clients.limited_emr(first), pages),
    )
    return CheckClusters(check, shared.utc_now)


def _at_once(rates: Mapping[str, Rate]) -> dict[str, Limit]:
    """Limit calls to these rates; what may not be called at once fails."""
    return {action: Limit(rate, patience=0, give_up_after=0) for action, rate in rates.items()}


def cluster_events(env: Mapping[str, str]) -> SqsRedelivery:
    """Wire the queue of the events about clusters."""
    return SqsRedelivery(clients.sqs, required(env, "CLUSTER_EVENTS_QUEUE_URL"))


def cluster_check(
    settings: Settings,
    by: str,
    clusters: EmrClusters,
    buckets: S3Buckets,
    first_reads: EmrClusters | None = None,
) -> CheckCluster:
    """Wire the check with readers of clusters and buckets; keys and roles are cached."""
    uncached = ReadClusterFacts(
        keys=KmsKeys(clients.kms),
        roles=IamRoles(clients.iam()),
        workloads=clusters,
        buckets=buckets,
        bucket_owners=buckets,
        checked_buckets=settings.log_buckets,
        approved_targets=shared.approved_targets(settings),
    )
    cached_buckets = CachedBuckets(buckets)
    policy = shared.current_policy(settings)
    repository, dispatcher = shared.repository(settings), shared.action_dispatcher(settings)
    recorder = shared.finding_recorder(settings, by, policy)
    return CheckCluster(
        first_reads=first_reads or clusters,
        clusters=clusters,
        workloads=clusters,
        read_facts=replace(
            uncached,
            keys=CachedKeys(KmsKeys(clients.kms)),
            roles=CachedRoles(IamRoles(clients.iam())),
            buckets=cached_buckets,
            bucket_owners=cached_buckets,
        ),
        read_uncached=uncached,
        policy=policy,
        repository=repository,
        recorder=recorder,
        dispatcher=dispatcher,
        check_buckets=CheckLogBuckets(
            buckets, settings.log_buckets, repository, recorder, dispatcher
        ),
        notify_unusable_keys=shared.notify_unusable_keys(settings),
        clock=shared.utc_now,
        runbook=settings.runbook,
    )


def check_log_objects(env: Mapping[str, str]) -> CheckLogObjects:
    """Wire the check of log objects; clusters, their steps and keys are cached."""
    settings = Settings.from_env(env)
    clusters, repository = EmrClusters(clients.emr()), shared.repository(settings)
    policy = shared.current_policy(settings)
    return CheckLogObjects(
        read_object=ReadLogObject(
            clusters=CachedClusters(StoredClusters(clusters, repository)),
            objects=S3LogObjects(clients.s3()),
            keys=CachedKeys(KmsKeys(clients.kms)),
            steps=CachedSteps(clusters),
            histories=CachedHistories(repository),
            approved_targets=shared.approved_targets(settings),
        ),
        policy=policy,
        repository=repository,
        recorder=shared.finding_recorder(settings, "check_log_objects", policy),
        dispatcher=shared.action_dispatcher(settings),
        clock=shared.utc_now,
        runbook=settings.runbook,
        reencryption=shared.reencryption_queue(settings),
    )


def log_objects_queue(env: Mapping[str, str]) -> SqsRedelivery:
    """Wire the queue of log objects."""
    return SqsRedelivery(clients.sqs, required(env, "LOG_OBJECTS_QUEUE_URL"))


def check_key(env: Mapping[str, str]) -> CheckKey:
    """Wire the check of a key."""
    settings = Settings.from_env(env)
    return CheckKey(
        keys=KmsKeys(clients.kms),
        clusters=shared.repository(settings),
        rechecks=EventBridgeRechecks(clients.events(), settings.stack_name),
        policy=shared.policy_without_alerts(settings),
    )


def review_findings(env: Mapping[str, str]) -> ReviewFindings:
    """Wire the review of open findings."""
    settings = Settings.from_env(env)
    return ReviewFindings(
        findings=shared.repository(settings),
        rechecks=EventBridgeRechecks(clients.events(), settings.stack_name),
        objects=SqsLogObjectQueue(clients.sqs(), required(env, "LOG_OBJECTS_QUEUE_URL")),
        notify_change=NotifyPolicyChange(
            shared.policy_parameter(settings),
            SnsPolicyChangeAlerts(clients.sns(), settings.alerts_topic_arn, settings.stack_name),
        ),
        clock=shared.utc_now,
        most=rechecks_per_review(settings.emr_api_share),
    )
