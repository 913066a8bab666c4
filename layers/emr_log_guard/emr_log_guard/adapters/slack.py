"""Slack: posting to incoming webhooks whose URLs are secrets.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import logging
from http import HTTPStatus
from http.client import HTTPException
from typing import Any

from aws_lambda_powertools.utilities.parameters import get_secret
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.webhook.client import WebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from emr_log_guard.domain.notice import Notice
from emr_log_guard.errors import AlertNotDeliveredError, WebhookUnusableError
from emr_log_guard.observability import logger
from emr_log_guard.rendering.slack_message import slack_message, slack_text

PATIENCE = 15
"""Seconds that a rate limit is waited for: two webhooks are tried at most, in a function's 60."""
_TIMEOUT = 5
_SECRET_MAX_AGE = 300
"""Seconds until a rotated webhook URL is picked up, unless Slack refuses the old one before."""
_SILENT = logging.Logger("slack_sdk", level=logging.CRITICAL)  # noqa: LOG001 - nobody else's
"""The client's own logger would write the URL, which is the secret, at level DEBUG."""


class SlackWebhooks:
    """Incoming webhooks, by the secret that holds the URL as a plain string."""

    def post(self, secret_arn: str, notice: Notice) -> None:
        """Post an alert.

        Raises:
            AlertNotDeliveredError: Slack was busy or could not be reached: to be tried again.
            WebhookUnusableError: The secret cannot be read, or is not the URL of a webhook, or
                Slack refuses what is posted there: somebody has to mend that.

        """
        try:
            _post(_url(secret_arn), notice)
        except _RefusedError as refused:
            # Slack answers so to a URL that was replaced, too.
            newer = _url(secret_arn, afresh=True)
            if newer == refused.url:
                message = f"Slack refuses what is posted with {secret_arn}: {refused}"
                raise WebhookUnusableError(message) from refused
            try:
                _post(newer, notice)
            except _RefusedError as again:
                message = f"Slack refuses what is posted with {secret_arn}: {again}"
                raise WebhookUnusableError(message) from again


class _RefusedError(Exception):
    """Slack answered with a 4xx; the message is its answer."""

    def __init__(self, url: str, answer: str) -> None:
        super().__init__(answer)
        self.url = url


class _Patient(RateLimitErrorRetryHandler):
    """Waits as long as Slack asks for, where the function's time allows for it."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        limited = super()._can_retry(state=state, request=request, response=response, error=error)
        return limited and response is not None and _wait(response) <= PATIENCE


def _wait(response: HttpResponse) -> float:
    """Give the seconds of a Retry-After; without end when they are not told."""
    told = next((v[0] for k, v in response.headers.items() if k.lower() == "retry-after"), "")
    return int(told) if told.isdecimal() else float("inf")


def _url(secret_arn: str, *, afresh: bool = False) -> str:
    try:
        value = get_secret(secret_arn, max_age=_SECRET_MAX_AGE, force_fetch=afresh)
    except GetParameterError as error:
        message = f"the secret {secret_arn} cannot be read: {error}"
        raise WebhookUnusableError(message) from error
    url = str(value).strip()
    if not url.startswith(("https://", "http://127.0.0.1:")):
        message = f"the secret {secret_arn} must be a Slack webhook URL, https://…"
        raise WebhookUnusableError(message)
    return url


def _post(url: str, notice: Notice) -> None:
    answer = _send(url, slack_message(notice))
    if answer.status_code == HTTPStatus.BAD_REQUEST:
        # Slack may not like the blocks: an alert without its looks is better than none.
        logger.error("slack refused the blocks", subject=notice.subject, answer=answer.body[:200])
        answer = _send(url, slack_text(notice))
    said = f"{answer.status_code}: {answer.body[:200]}"
    if answer.status_code == HTTPStatus.OK and answer.body.strip() == "ok":
        return
    refused = HTTPStatus.BAD_REQUEST <= answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    if refused and answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        raise _RefusedError(url, said)
    message = f"Slack answered {said}"
    raise AlertNotDeliveredError(message)


def _send(url: str, body: dict[str, Any]) -> WebhookResponse:
    handlers = [_Patient(), ServerErrorRetryHandler(), ConnectionErrorRetryHandler()]
    client = WebhookClient(url, timeout=_TIMEOUT, logger=_SILENT, retry_handlers=handlers)
    try:
        return client.send_dict(body)
    except (OSError, HTTPException, UnicodeError, LookupError) as error:
        # The last two: an answer in no known encoding. None is shown, for it may hold the URL.
        message = f"Slack could not be reached: {type(error).__name__}"
        raise AlertNotDeliveredError(message) from None
