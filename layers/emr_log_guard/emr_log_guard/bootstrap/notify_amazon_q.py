"""The wiring of notify_amazon_q."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.sns_amazon_q import SnsAmazonQ
from emr_log_guard.config import required
from emr_log_guard.usecases.notify_amazon_q import NotifyAmazonQ


def notify_amazon_q(env: Mapping[str, str]) -> NotifyAmazonQ:
    """Wire the notification of Amazon Q."""
    return NotifyAmazonQ(SnsAmazonQ(clients.sns(), required(env, "AMAZON_Q_TOPIC_ARN")))
