"""Wiring that several functions share."""

from datetime import UTC, datetime

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.approved_targets import DynamoApprovedTargets
from emr_log_guard.adapters.dynamodb import DynamoFindingRepository, DynamoPolicyHistory
from emr_log_guard.adapters.scheduler import EventBridgeSchedules
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.adapters.sqs import SqsEnforcementQueue, SqsReencryptionQueue
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.config import Settings
from emr_log_guard.usecases.approved_keys import NotifyUnusableKeys
from emr_log_guard.usecases.findings import ActionDispatcher, Enforcers, FindingRecorder
from emr_log_guard.usecases.policy import CurrentPolicy


def utc_now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)


def repository(settings: Settings) -> DynamoFindingRepository:
    """Wire the findings table."""
    return DynamoFindingRepository(clients.dynamodb(), settings.findings_table_name)


def approved_targets(settings: Settings) -> DynamoApprovedTargets:
    """Wire the stored keys of approved aliases."""
    return DynamoApprovedTargets(clients.dynamodb(), settings.findings_table_name)


def alerts(settings: Settings) -> SnsAlerts:
    """Wire the alerts topic; its client is made at the first alert."""
    return SnsAlerts(clients.sns, settings.alerts_topic_arn, settings.stack_name)


def policy_parameter(settings: Settings) -> SsmPolicyParameter:
    """Wire the stored policy."""
    return SsmPolicyParameter(clients.ssm(), settings.policy_parameter_name)


def policy_history(settings: Settings) -> DynamoPolicyHistory:
    """Wire the history of the policy."""
    return DynamoPolicyHistory(clients.dynamodb(), settings.findings_table_name, utc_now)


def current_policy(settings: Settings) -> CurrentPolicy:
    """Wire the policy for functions that evaluate."""
    return CurrentPolicy(
        policy_parameter(settings),
        policy_history(settings),
        alerts(settings),
        utc_now,
        allowed=settings.enforcement is not None,
        reencryption_allowed=settings.reencryption_queue_url is not None,
    )


def policy_without_alerts(settings: Settings) -> CurrentPolicy:
    """Wire the policy for functions that do not evaluate: the others notify when it is invalid."""
    return CurrentPolicy(
        policy_parameter(settings),
        None,
        None,
        utc_now,
        allowed=False,
        reencryption_allowed=settings.reencryption_queue_url is not None,
    )


def notify_unusable_keys(settings: Settings) -> NotifyUnusableKeys:
    """Wire the notification of keys that the policy names and that cannot be used."""
    return NotifyUnusableKeys(
        settings.policy_parameter_name, policy_history(settings), alerts(settings), utc_now
    )


def finding_recorder(settings: Settings, by: str, policy: CurrentPolicy) -> FindingRecorder:
    """Wire the recorder of a function."""
    return FindingRecorder(repository(settings), utc_now, by, policy)


def action_dispatcher(settings: Settings) -> ActionDispatcher:
    """Wire the dispatcher of a function."""
    enforcers = None
    if settings.enforcement is not None:
        enforcers = Enforcers(
            SqsEnforcementQueue(clients.sqs, settings.enforcement.queue_url),
            EventBridgeSchedules(clients.scheduler, settings.enforcement, utc_now),
        )
    return ActionDispatcher(repository(settings), alerts(settings), utc_now, enforcers)


def reencryption_queue(settings: Settings) -> SqsReencryptionQueue | None:
    """Wire the queue in front of `reencrypt`; None in a stack that may not re-encrypt."""
    url = settings.reencryption_queue_url
    return SqsReencryptionQueue(clients.sqs, url) if url else None
