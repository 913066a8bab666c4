"""Post alerts to Slack."""

from collections.abc import Iterable
from dataclasses import dataclass

from emr_log_guard.events.sns import AlertMessage
from emr_log_guard.observability import logger
from emr_log_guard.rendering.slack_text import slack_text
from emr_log_guard.usecases.ports import Chat


@dataclass(frozen=True, slots=True)
class NotifySlack:
    """Posts each alert as plain text."""

    chat: Chat

    def __call__(self, alerts: Iterable[AlertMessage]) -> dict[str, int]:
        """Post the alerts.

        Raises:
            AlertNotDeliveredError: Slack did not take one: SNS's delivery is tried again.

        """
        posted = 0
        for alert in alerts:
            self.chat.post(slack_text(alert.subject, alert.text))
            posted += 1
            logger.info("alert posted", subject=alert.subject)
        return {"posted": posted}
