"""Wiring of the delivery of alerts and findings."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoWorkflowStates
from emr_log_guard.adapters.events import EventBridgeBus
from emr_log_guard.adapters.securityhub import SecurityHub
from emr_log_guard.adapters.slack import SlackWebhooks
from emr_log_guard.adapters.sns import SnsAmazonQ
from emr_log_guard.adapters.sqs import SqsUnimported
from emr_log_guard.bootstrap import shared
from emr_log_guard.config import Settings, required
from emr_log_guard.usecases.delivery.amazon_q import NotifyAmazonQ
from emr_log_guard.usecases.delivery.events import EmitEvents
from emr_log_guard.usecases.delivery.security_hub import ImportFindings
from emr_log_guard.usecases.delivery.slack import NotifySlack


def notify_slack(env: Mapping[str, str]) -> NotifySlack:
    """Wire the notification of Slack."""
    return NotifySlack(
        SlackWebhooks(),
        shared.policy_without_alerts(Settings.from_env(env)),
        required(env, "SLACK_WEBHOOK_SECRET_ARN"),
    )


def notify_amazon_q(env: Mapping[str, str]) -> NotifyAmazonQ:
    """Wire the notification of Amazon Q."""
    return NotifyAmazonQ(SnsAmazonQ(clients.sns(), required(env, "AMAZON_Q_TOPIC_ARN")))


def emit_events(env: Mapping[str, str]) -> EmitEvents:
    """Wire the guard's events."""
    return EmitEvents(EventBridgeBus(clients.events(), required(env, "EVENT_BUS_ARN")))


def import_findings(env: Mapping[str, str]) -> ImportFindings:
    """Wire the import into Security Hub."""
    settings = Settings.from_env(env)
    return ImportFindings(
        repository=shared.repository(settings),
        states=DynamoWorkflowStates(clients.dynamodb(), settings.findings_table_name),
        hub=SecurityHub(clients.security_hub(), required(env, "SECURITY_HUB_PRODUCT_ARN")),
        unimported=SqsUnimported(clients.sqs(), required(env, "DEAD_LETTER_QUEUE_URL")),
        clock=shared.utc_now,
    )
