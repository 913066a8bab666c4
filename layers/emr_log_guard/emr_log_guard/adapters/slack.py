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

_MAX_WAIT = 15
"""The longest wait for a rate limit, in seconds: a function has 60 for at most two webhooks."""
_PAUSE = 1
"""Seconds until a post is retried after a connection error or a 5xx."""
_SECRET_MAX_AGE = 300
"""Seconds for which a webhook URL is cached, unless Slack rejects it."""
_HTTP = PoolManager(timeout=5, retries=False)
# At level DEBUG it would write the URL, which is the secret.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class SlackWebhooks:
    """Incoming webhooks, by the secret that holds the URL as a plain string."""

    def post(self, secret_arn: str, published: PublishedAlert) -> None:
        """Post an alert.

        Raises:
            AlertNotDeliveredError: Slack was busy or could not be reached: to be retried.
            InvalidWebhookError: The secret cannot be read or is not the URL of a webhook, or Slack
                rejects the post: the operator has to fix it.

        """
        try:
            _post(_url(secret_arn), published)
        except _RefusedError as refused:
            # The URL may have been rotated.
            newer = _url(secret_arn, force_refresh=True)
            if newer == refused.url:
                message = f"Slack rejects posts to the webhook in {secret_arn}: {refused}"
                raise InvalidWebhookError(message) from refused
            try:
                _post(newer, published)
            except _RefusedError as again:
                message = f"Slack rejects posts to the webhook in {secret_arn}: {again}"
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
        # Slack rejected the blocks: an alert as plain text is better than none.
        logger.error("slack rejected the blocks", subject=published.subject, answer=text[:200])
        status, text = _send(url, slack_text(published))
    if status == HTTPStatus.OK and text.strip() == "ok":
        return
    answer = f"{status}: {text[:200]}"
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if refused and status != HTTPStatus.TOO_MANY_REQUESTS:
        raise _RefusedError(url, answer)
    message = f"Slack answered {answer}"
    raise AlertNotDeliveredError(message)


def _send(url: str, body: dict[str, Any], *, repeat: bool = True) -> tuple[int, str]:
    """Post, and retry once if that may help; return the status and text of the response.

    Raises:
        AlertNotDeliveredError: Slack could not be reached, or did not answer.

    """
    pause: float = _PAUSE
    try:
        answer = _HTTP.request("POST", url, json=body, redirect=False)
    except HTTPError as error:
        if not repeat or isinstance(error, ReadTimeoutError):  # Slack may have posted it
            # The error itself may contain the URL.
            message = f"Slack could not be reached: {type(error).__name__}"
            raise AlertNotDeliveredError(message) from None
    else:
        requested = _pause(answer)
        if not repeat or requested is None:
            return answer.status, answer.data.decode(errors="replace")
        pause = requested
    time.sleep(pause)
    return _send(url, body, repeat=False)


def _pause(answer: BaseHTTPResponse) -> float | None:
    """Return the seconds until a retry; None when it is pointless or too late."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = answer.headers.get("Retry-After", "")
        return int(asked) if asked.isdecimal() and int(asked) <= _MAX_WAIT else None
    if answer.status in (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE):
        return _PAUSE
    return None
