"""Slack: posting to an incoming webhook whose URL is a secret.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import urllib3
from aws_lambda_powertools.utilities.parameters import get_secret

from emr_log_guard.errors import AlertNotDeliveredError, InvalidConfigurationError

_SECRET_MAX_AGE = 300
"""Seconds until a rotated webhook URL is picked up."""


class SlackWebhook:
    """An incoming webhook."""

    def __init__(self, secret_arn: str) -> None:
        """Post to the URL in this secret, a plain string."""
        self._secret_arn = secret_arn
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=5), retries=False)

    def post(self, text: str) -> None:
        """Post a text, already escaped for Slack; it is not formatted.

        Raises:
            AlertNotDeliveredError: Slack did not take it; the message says what it answered.
            InvalidConfigurationError: The secret is not the URL of a webhook.

        """
        url = str(get_secret(self._secret_arn, max_age=_SECRET_MAX_AGE)).strip()
        if not url.startswith(("https://", "http://127.0.0.1:")):
            message = f"the secret {self._secret_arn} must be a Slack webhook URL, https://…"
            raise InvalidConfigurationError(message)
        try:
            answer = self._http.request("POST", url, json={"text": text, "mrkdwn": False})
        except urllib3.exceptions.HTTPError as error:
            message = f"Slack could not be reached: {type(error).__name__}"
            raise AlertNotDeliveredError(message) from error
        if answer.status != 200:  # noqa: PLR2004 - the one status that means "posted"
            message = (
                f"Slack answered {answer.status}: {answer.data[:200].decode(errors='replace')}"
            )
            raise AlertNotDeliveredError(message)
