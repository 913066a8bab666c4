"""Wiring of enforcement and re-encryption."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.cache import (
    CachedBuckets,
    CachedClusters,
    CachedHistories,
    CachedKeys,
    CachedSteps,
)
from emr_log_guard.adapters.dynamodb import DynamoReencryptionBudget, StoredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.events import EventBridgeRechecks
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.s3 import S3Buckets, S3LogObjects
from emr_log_guard.adapters.securityhub import SecurityHub
from emr_log_guard.adapters.sqs import SqsEnforcementQueue, SqsRedelivery, SqsReencryptionQueue
from emr_log_guard.bootstrap import shared
from emr_log_guard.config import Settings, required
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject
from emr_log_guard.usecases.findings import ActionDispatcher, FindingRecorder
from emr_log_guard.usecases.policy import CurrentPolicy
from emr_log_guard.usecases.remediation.enforce import Enforce
from emr_log_guard.usecases.remediation.reencrypt import ReencryptLogObjects


def enforce(env: Mapping[str, str]) -> Enforce:
    """Wire the enforcement: everything is re-read, except settings that cannot change."""
    settings = Settings.from_env(env)
    clusters, keys = EmrClusters(clients.emr()), KmsKeys(clients.kms)
    alerts, repository = shared.alerts(settings), shared.repository(settings)
    targets = shared.approved_targets(settings)
    product_arn = env.get("SECURITY_HUB_PRODUCT_ARN")
    return Enforce(
        clusters=clusters,
        read_facts=ReadClusterFacts(
            keys,
            workloads=clusters,
            approved_targets=targets,
            bucket_owners=S3Buckets(clients.s3()),
        ),
        read_object=ReadLogObject(
            CachedClusters(clusters),
            S3LogObjects(clients.s3()),
            keys,
            clusters,
            repository,
            targets,
        ),
        policy=CurrentPolicy(
            shared.policy_parameter(settings),
            shared.policy_history(settings),
            alerts,
            shared.utc_now,
            allowed=True,  # this function only exists in such stacks
            reencryption_allowed=settings.reencryption_queue_url is not None,
            cached=False,
        ),
        repository=repository,
        # It requests no enforcement: through the recorder it only notifies of terminated clusters.
        recorder=FindingRecorder(repository, shared.utc_now, "enforce"),
        dispatcher=ActionDispatcher(repository, alerts, shared.utc_now),
        alerts=alerts,
        queue=SqsEnforcementQueue(clients.sqs, required(env, "ENFORCEMENT_QUEUE_URL")),
        rechecks=EventBridgeRechecks(clients.events(), settings.stack_name),
        clock=shared.utc_now,
        runbook=settings.runbook,
        suppressions=SecurityHub(clients.security_hub(), product_arn) if product_arn else None,
    )


def reencrypt(env: Mapping[str, str]) -> ReencryptLogObjects:
    """Wire the re-encryption: objects, keys and the policy are re-read for each batch."""
    settings = Settings.from_env(env)
    clusters, repository = EmrClusters(clients.emr()), shared.repository(settings)
    objects, policy = S3LogObjects(clients.s3()), shared.current_policy(settings)
    return ReencryptLogObjects(
        read_object=ReadLogObject(
            clusters=CachedClusters(StoredClusters(clusters, repository)),
            objects=objects,
            keys=KmsKeys(clients.kms),
            steps=CachedSteps(clusters),
            histories=CachedHistories(repository),
            approved_targets=shared.approved_targets(settings),
        ),
        objects=objects,
        fresh_keys=lambda: CachedKeys(KmsKeys(clients.kms)),
        fresh_buckets=lambda: CachedBuckets(S3Buckets(clients.s3())),
        policy=policy,
        repository=repository,
        # It requests no enforcement: checks do, also because of what could not be re-encrypted.
        recorder=FindingRecorder(repository, shared.utc_now, "reencrypt"),
        dispatcher=ActionDispatcher(repository, shared.alerts(settings), shared.utc_now),
        budget=DynamoReencryptionBudget(clients.dynamodb(), settings.findings_table_name),
        queue=SqsReencryptionQueue(clients.sqs, required(env, "REENCRYPTION_QUEUE_URL")),
        notify_unusable_keys=shared.notify_unusable_keys(settings),
        clock=shared.utc_now,
        runbook=settings.runbook,
    )


def reencryption_requests(env: Mapping[str, str]) -> SqsRedelivery:
    """Wire the queue of the requests to re-encrypt."""
    return SqsRedelivery(clients.sqs, required(env, "REENCRYPTION_QUEUE_URL"))
