"""Post alerts to Slack."""

from collections.abc import Iterable
from dataclasses import dataclass

from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.errors import InvalidWebhookError
from emr_log_guard.observability import record_post, record_unusable_webhook
from emr_log_guard.usecases.ports import Chat, PolicyProvider


@dataclass(frozen=True, slots=True)
class NotifySlack:
    """Posts each alert to the first matching route of the policy, or to the stack's own webhook."""

    chat: Chat
    policy: PolicyProvider
    default_webhook: str
    """The secret of the stack's own webhook."""

    def __call__(self, alerts: Iterable[PublishedAlert]) -> dict[str, int]:
        """Post the alerts.

        If the webhook of a route is invalid, the alert goes to the stack's own, and the operators
        are notified.

        Raises:
            AlertNotDeliveredError: Slack did not accept one for now: SNS retries the delivery.
            InvalidWebhookError: The stack's own webhook is invalid: the delivery ends in the
                dead-letter queue.

        """
        posted = 0
        for published in alerts:
            webhook = self._webhook_for(published)
            try:
                self.chat.post(webhook, published)
            except InvalidWebhookError as error:
                record_unusable_webhook(webhook, str(error))
                if webhook == self.default_webhook:
                    raise
                self.chat.post(self.default_webhook, published)
                webhook = self.default_webhook
            posted += 1
            record_post(published.subject, webhook)
        return {"posted": posted}

    def _webhook_for(self, published: PublishedAlert) -> str:
        for route in self.policy().alerts.slack_routes:
            if route.matches(published.account, published.severity, published.cluster_tags):
                return route.webhook_secret_arn
        return self.default_webhook
