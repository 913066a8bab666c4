"""Slack: posting to incoming webhooks whose URLs are secrets.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import logging
import time
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.parameters import get_secret
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError, ReadTimeoutError

from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.errors import AlertNotDeliveredError, InvalidWebhookError
from emr_log_guard.observability import logger
from emr_log_guard.rendering.alerts.slack import slack_message, slack_text

PATIENCE = 15
"""Seconds that a rate limit is waited for: two webhooks are tried at most, in a function's 60."""
_PAUSE = 1
"""Seconds until a post is repeated that reached no Slack, or met an error of its own."""
_SECRET_MAX_AGE = 300
"""Seconds until a rotated webhook URL is picked up, unless Slack refuses the old one before."""
_HTTP = PoolManager(timeout=5, retries=False)
# At level DEBUG it would write the URL, which is the secret.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class SlackWebhooks:
    """Incoming webhooks, by the secret that holds the URL as a plain string."""

    def post(self, secret_arn: str, published: PublishedAlert) -> None:
        """Post an alert.

        Raises:
            AlertNotDeliveredError: Slack was busy or could not be reached: to be tried again.
            InvalidWebhookError: The secret cannot be read, or is not the URL of a webhook, or
                Slack refuses what is posted there: the operator has to correct it.

        """
        try:
            _post(_url(secret_arn), published)
        except _RefusedError as refused:
            # Slack answers so to a URL that was replaced, too.
            newer = _url(secret_arn, force_refresh=True)
            if newer == refused.url:
                message = f"Slack refuses what is posted with {secret_arn}: {refused}"
                raise InvalidWebhookError(message) from refused
            try:
                _post(newer, published)
            except _RefusedError as again:
                message = f"Slack refuses what is posted with {secret_arn}: {again}"
                raise InvalidWebhookError(message) from again


class _RefusedError(Exception):
    """Slack answered with a 4xx; the message is its answer."""

    def __init__(self, url: str, answer: str) -> None:
        super().__init__(answer)
        self.url = url


def _url(secret_arn: str, *, force_refresh: bool = False) -> str:
    try:
        value = get_secret(secret_arn, max_age=_SECRET_MAX_AGE, force_fetch=force_refresh)
    except GetParameterError as error:
        message = f"the secret {secret_arn} cannot be read: {error}"
        raise InvalidWebhookError(message) from error
    url = str(value).strip()
    if not url.startswith(("https://", "http://127.0.0.1:")):
        message = f"the secret {secret_arn} must be a Slack webhook URL, https://…"
        raise InvalidWebhookError(message)
    return url


def _post(url: str, published: PublishedAlert) -> None:
    status, text = _send(url, slack_message(published))
    if status == HTTPStatus.BAD_REQUEST:
        # Slack may not like the blocks: an alert without its looks is better than none.
        logger.error("slack refused the blocks", subject=published.subject, answer=text[:200])
        status, text = _send(url, slack_text(published))
    if status == HTTPStatus.OK and text.strip() == "ok":
        return
    said = f"{status}: {text[:200]}"
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if refused and status != HTTPStatus.TOO_MANY_REQUESTS:
        raise _RefusedError(url, said)
    message = f"Slack answered {said}"
    raise AlertNotDeliveredError(message)


def _send(url: str, body: dict[str, Any], *, repeat: bool = True) -> tuple[int, str]:
    """Post, and repeat it once where that may help; give the status and text of the answer.

    Raises:
        AlertNotDeliveredError: Slack could not be reached, or did not answer.

    """
    pause: float = _PAUSE
    try:
        answer = _HTTP.request("POST", url, json=body, redirect=False)
    except HTTPError as error:
        if not repeat or isinstance(error, ReadTimeoutError):  # Slack may have posted it
            # The error itself may hold the URL.
            message = f"Slack could not be reached: {type(error).__name__}"
            raise AlertNotDeliveredError(message) from None
    else:
        asked = _pause(answer)
        if not repeat or asked is None:
            return answer.status, answer.data.decode(errors="replace")
        pause = asked
    time.sleep(pause)
    return _send(url, body, repeat=False)


def _pause(answer: BaseHTTPResponse) -> float | None:
    """Give the seconds after which to repeat a post; None where it is useless or takes too long."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = answer.headers.get("Retry-After", "")
        return int(asked) if asked.isdecimal() and int(asked) <= PATIENCE else None
    if answer.status in (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE):
        return _PAUSE
    return None
