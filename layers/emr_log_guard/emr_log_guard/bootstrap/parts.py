"""What the functions that judge are wired with alike."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger, DynamoPolicyHistory
from emr_log_guard.adapters.scheduler import EventBridgeSchedules
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.adapters.sqs import SqsEnforcementQueue
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.bootstrap.clock import utc_now
from emr_log_guard.config import ScheduleSettings, Settings
from emr_log_guard.usecases.current_policy import CurrentPolicy
from emr_log_guard.usecases.findings import ActionDispatcher, Enforcers, FindingRecorder


def current_policy(settings: Settings) -> CurrentPolicy:
    """Wire the policy in force."""
    return CurrentPolicy(
        SsmPolicyParameter(clients.ssm(), settings.policy_parameter_name),
        policy_history(settings),
        SnsAlerts(clients.sns, settings.alerts_topic_arn),
        allowed=settings.enforcement_queue_url is not None,
    )


def policy_history(settings: Settings) -> DynamoPolicyHistory:
    """Wire what is remembered of the policy."""
    return DynamoPolicyHistory(clients.dynamodb(), settings.findings_table_name, utc_now)


def finding_recorder(settings: Settings, by: str, policy: CurrentPolicy) -> FindingRecorder:
    """Wire what a function records."""
    ledger = DynamoLedger(clients.dynamodb(), settings.findings_table_name)
    return FindingRecorder(ledger, utc_now, by, policy)


def action_dispatcher(settings: Settings, env: Mapping[str, str]) -> ActionDispatcher:
    """Wire what a function notifies of and hands on to `enforce`."""
    return ActionDispatcher(
        DynamoLedger(clients.dynamodb(), settings.findings_table_name),
        SnsAlerts(clients.sns, settings.alerts_topic_arn),
        utc_now,
        _enforcers(settings, env),
    )


def _enforcers(settings: Settings, env: Mapping[str, str]) -> Enforcers | None:
    queue_url = settings.enforcement_queue_url
    if queue_url is None:
        return None
    return Enforcers(
        SqsEnforcementQueue(clients.sqs, queue_url),
        EventBridgeSchedules(clients.scheduler, ScheduleSettings.from_env(env), utc_now),
    )
