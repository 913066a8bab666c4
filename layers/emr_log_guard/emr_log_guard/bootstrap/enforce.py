"""The wiring of enforce: all is read again, but the settings that a cluster keeps for life."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.approved_targets import DynamoApprovedTargets
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.eventbridge import EventBridgeRechecks
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.memory import RememberedClusters
from emr_log_guard.adapters.s3 import S3Buckets, S3LogObjects
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.adapters.sqs import SqsEnforcementQueue
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.bootstrap.parts import policy_history
from emr_log_guard.config import Settings, required
from emr_log_guard.usecases.current_policy import CurrentPolicy
from emr_log_guard.usecases.enforce import Enforce
from emr_log_guard.usecases.findings import ActionDispatcher, FindingRecorder
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject

if TYPE_CHECKING:
    from emr_log_guard.adapters.security_hub import SecurityHub


def enforce(env: Mapping[str, str]) -> Enforce:
    """Wire the enforcement."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    keys = KmsKeys(clients.kms)
    alerts = SnsAlerts(clients.sns, settings.alerts_topic_arn)
    ledger = DynamoLedger(clients.dynamodb(), settings.findings_table_name)
    targets = DynamoApprovedTargets(clients.dynamodb(), settings.findings_table_name)
    return Enforce(
        clusters=clusters,
        read_facts=ReadClusterFacts(
            keys,
            workloads=clusters,
            approved_targets=targets,
            bucket_owners=S3Buckets(clients.s3()),
        ),
        read_object=ReadLogObject(
            RememberedClusters(clusters),
            S3LogObjects(clients.s3()),
            keys,
            clusters,
            ledger,
            targets,
        ),
        policy=CurrentPolicy(
            SsmPolicyParameter(clients.ssm(), settings.policy_parameter_name),
            policy_history(settings),
            alerts,
            allowed=True,  # this function is only in stacks that may
            remember=False,
        ),
        ledger=ledger,
        # It asks nobody for enforcement: what it notifies of through the ledger is over.
        recorder=FindingRecorder(ledger, utc_now, "enforce"),
        dispatcher=ActionDispatcher(ledger, alerts, utc_now),
        alerts=alerts,
        queue=SqsEnforcementQueue(clients.sqs, required(env, "ENFORCEMENT_QUEUE_URL")),
        rechecks=EventBridgeRechecks(clients.events(), required(env, "STACK_NAME")),
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
