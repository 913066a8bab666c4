"""The wiring of notify_slack."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.slack import SlackWebhooks
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.config import required
from emr_log_guard.usecases.current_policy import CurrentPolicy
from emr_log_guard.usecases.notify_slack import NotifySlack


def notify_slack(env: Mapping[str, str]) -> NotifySlack:
    """Wire the Slack notification."""
    # The functions that judge tell of a policy that cannot be gone by.
    parameter = SsmPolicyParameter(clients.ssm(), required(env, "POLICY_PARAMETER_NAME"))
    return NotifySlack(
        SlackWebhooks(),
        CurrentPolicy(parameter, None, None, allowed=False),
        required(env, "SLACK_WEBHOOK_SECRET_ARN"),
    )
