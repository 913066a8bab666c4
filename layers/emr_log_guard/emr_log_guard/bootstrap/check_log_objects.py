"""The wiring of check_log_objects: clusters, their steps and keys are remembered."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.approved_targets import DynamoApprovedTargets
from emr_log_guard.adapters.dynamodb import DynamoLedger, LedgeredClusters
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.memory import (
    RememberedClusters,
    RememberedHistories,
    RememberedKeys,
    RememberedSteps,
)
from emr_log_guard.adapters.s3 import S3LogObjects
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.bootstrap.parts import action_dispatcher, current_policy, finding_recorder
from emr_log_guard.config import Settings
from emr_log_guard.usecases.check_log_objects import CheckLogObjects
from emr_log_guard.usecases.read_log_object import ReadLogObject


def check_log_objects(env: Mapping[str, str]) -> CheckLogObjects:
    """Wire the log-object check."""
    settings = Settings.from_env(env)
    clusters = EmrClusters(clients.emr())
    policy = current_policy(settings)
    ledger = DynamoLedger(clients.dynamodb(), settings.findings_table_name)
    return CheckLogObjects(
        read_object=ReadLogObject(
            clusters=RememberedClusters(LedgeredClusters(clusters, ledger)),
            objects=S3LogObjects(clients.s3()),
            keys=RememberedKeys(KmsKeys(clients.kms)),
            steps=RememberedSteps(clusters),
            histories=RememberedHistories(ledger),
            approved_targets=DynamoApprovedTargets(
                clients.dynamodb(), settings.findings_table_name
            ),
        ),
        policy=policy,
        ledger=ledger,
        recorder=finding_recorder(settings, "check_log_objects", policy),
        dispatcher=action_dispatcher(settings, env),
        clock=utc_now,
        runbook=settings.runbook,
    )
