import logging
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from urllib3 import PoolManager

from emr_log_guard.adapters import slack
from emr_log_guard.adapters.slack import _MAX_WAIT, SlackWebhooks
from emr_log_guard.errors import AlertNotDeliveredError, InvalidWebhookError
from emr_log_guard.rendering.alerts.slack import slack_message, slack_text
from tests.slack import OK, Answer, Slack, slack_webhook
from tests.unit.notices import NOTICES

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slack"  # noqa: S105 - its name
NOTICE = NOTICES["opened"]

type Keep = Callable[..., list[bool]]


@pytest.fixture
def server() -> Iterator[Slack]:
    with slack_webhook() as server:
        yield server


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note how long the client would wait."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Have a secret hold these values, one after the other; note which bypassed the cache."""

    def kept(*values: str | bytes | GetParameterError) -> list[bool]:
        force_refresh: list[bool] = []
        left = list(values)

        def get_secret(name: str, *, max_age: int, force_fetch: bool) -> str | bytes:
            assert (name, max_age) == (SECRET, 300)
            force_refresh.append(force_fetch)
            value = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(value, GetParameterError):
                raise value
            return value

        monkeypatch.setattr(slack, "get_secret", get_secret)
        return force_refresh

    return kept


def post() -> None:
    SlackWebhooks().post(SECRET, NOTICE)


def test_message_is_posted_with_blocks_and_text(keep: Keep, server: Slack) -> None:
    keep(f"{server.url}\n")
    post()

    assert server.posts == [slack_message(NOTICE)]


def test_message_with_rejected_blocks_is_posted_as_text(keep: Keep, server: Slack) -> None:
    keep(server.url)
    server.answers = [(400, b"invalid_blocks", {}), OK]
    post()

    assert server.posts == [slack_message(NOTICE), slack_text(NOTICE)]


@pytest.mark.parametrize("seconds", ["1", str(_MAX_WAIT)])
def test_short_rate_limit_is_waited_for(
    keep: Keep, server: Slack, slept: list[float], seconds: str
) -> None:
    keep(server.url)
    server.answers = [(429, b"rate_limited", {"Retry-After": seconds}), OK]
    post()

    [waited] = slept
    assert int(seconds) <= waited < int(seconds) + 1
    assert len(server.posts) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": str(_MAX_WAIT + 1)},
        {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"},
        {"Retry-After": "-1"},
        {},
    ],
)
def test_long_or_invalid_retry_after_raises_without_waiting(
    keep: Keep, server: Slack, slept: list[float], headers: dict[str, str]
) -> None:
    keep(server.url)
    server.answers = [(429, b"rate_limited", headers)]

    with pytest.raises(AlertNotDeliveredError, match=r"^Slack answered 429: rate_limited$"):
        post()

    assert (len(server.posts), slept) == (1, [])


def test_repeated_rate_limit_raises_after_one_wait(
    keep: Keep, server: Slack, slept: list[float]
) -> None:
    keep(server.url)
    server.answers = [(429, b"rate_limited", {"Retry-After": "2"})]

    with pytest.raises(AlertNotDeliveredError, match="429"):
        post()

    assert (len(server.posts), len(slept)) == (2, 1)


@pytest.mark.parametrize("status", [500, 503])
def test_server_error_of_slack_is_retried_once(keep: Keep, server: Slack, status: int) -> None:
    keep(server.url)
    server.answers = [(status, b"rollup_error", {}), OK]
    post()

    assert len(server.posts) == 2


@pytest.mark.parametrize(
    ("answer", "said", "posts"),
    [
        ((500, b"rollup_error", {}), "500: rollup_error", 2),
        ((502, b"", {}), "502: ", 1),
        ((204, b"", {}), "204: ", 1),
        ((200, b"<html>sign in", {}), "200: <html>sign in", 1),
        ((302, b"", {"Location": "/elsewhere"}), "302: ", 1),
        ((500, b"\xff", {}), "500: \N{REPLACEMENT CHARACTER}", 2),
    ],
)
def test_unexpected_answer_raises_alert_not_delivered(
    keep: Keep, server: Slack, answer: Answer, said: str, posts: int
) -> None:
    keep(server.url)
    server.answers = [answer]

    with pytest.raises(AlertNotDeliveredError) as raised:
        post()

    assert str(raised.value) == f"Slack answered {said}"
    assert len(server.posts) == posts


def test_answer_with_an_unknown_encoding_is_read(keep: Keep, server: Slack) -> None:
    keep(server.url)
    server.answers = [(200, b"ok", {"Content-Type": "text/plain; charset=nonsense"})]
    post()

    assert len(server.posts) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b"action_prohibited"),
        (403, b"invalid_token"),
        (404, b"channel_not_found"),
        (404, b"no_service"),
        (410, b"channel_is_archived"),
    ],
)
def test_rejected_webhook_raises_invalid_webhook_without_a_retry(
    keep: Keep, server: Slack, slept: list[float], status: int, body: bytes
) -> None:
    force_refresh = keep(server.url)
    server.answers = [(status, body, {})]

    with pytest.raises(InvalidWebhookError) as raised:
        post()

    notified = f"Slack rejects posts to the webhook in {SECRET}: {status}: {body.decode()}"
    assert str(raised.value) == notified
    assert (len(server.posts), slept, force_refresh) == (1, [], [False, True])


def test_message_rejected_as_text_raises_invalid_webhook(keep: Keep, server: Slack) -> None:
    keep(server.url)
    server.answers = [(400, b"user_not_found", {})]

    with pytest.raises(InvalidWebhookError, match=r"400: user_not_found$"):
        post()

    assert len(server.posts) == 2


def test_replaced_webhook_is_read_without_the_cache(keep: Keep, server: Slack) -> None:
    keep(server.url_of("OLD"), server.url_of("NEW"))
    server.answers = [(404, b"no_service", {}), OK]
    post()

    assert server.paths == ["/services/T0/OLD/x", "/services/T0/NEW/x"]


def test_rejected_replacement_of_a_webhook_raises_invalid_webhook(
    keep: Keep, server: Slack
) -> None:
    keep(server.url_of("OLD"), server.url_of("NEW"))
    server.answers = [(404, b"no_service", {}), (410, b"channel_is_archived", {})]

    with pytest.raises(InvalidWebhookError, match=r"410: channel_is_archived$"):
        post()


def test_connection_error_raises_without_logging_the_url(
    keep: Keep, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    keep(f"http://127.0.0.1:{port}/services/hush")

    with pytest.raises(
        AlertNotDeliveredError, match=r"^Slack could not be reached: NewConnectionError$"
    ):
        post()

    assert len(slept) == 1
    assert "hush" not in caplog.text


def test_unanswered_post_is_not_repeated(
    keep: Keep, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack may have posted it."""
    monkeypatch.setattr(slack, "_HTTP", PoolManager(timeout=0.1, retries=False))
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        keep(f"http://127.0.0.1:{deaf.getsockname()[1]}/services/T0/B0/x")
        with pytest.raises(AlertNotDeliveredError, match=r"ReadTimeoutError$"):
            post()

    assert slept == []


@pytest.mark.parametrize("path", ["", "services/hu sh"])
def test_webhook_url_is_never_logged_at_any_level(
    keep: Keep, server: Slack, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    keep(f"http://127.0.0.1:{server.server_port}/{path}" if path else server.url)
    try:
        post()
    except AlertNotDeliveredError as error:
        assert "hu sh" not in str(error)  # noqa: PT017 - not always is there one
        assert error.__suppress_context__  # noqa: PT017

    assert "/services" not in caplog.text


@pytest.mark.parametrize(
    "secret",
    ["", "changeme", "http://hooks.slack.com/x", "ftp://x", '{"url": "https://x"}', b"https://x"],
)
def test_secret_that_is_not_an_https_url_raises_invalid_webhook(
    keep: Keep, secret: str | bytes
) -> None:
    keep(secret)

    with pytest.raises(InvalidWebhookError, match=f"the secret {SECRET} must be") as raised:
        post()

    assert "changeme" not in str(raised.value)


def test_unreadable_secret_raises_invalid_webhook_with_its_name(keep: Keep) -> None:
    keep(GetParameterError("AccessDeniedException"))

    with pytest.raises(
        InvalidWebhookError, match=f"the secret {SECRET} cannot be read: AccessDeniedException"
    ):
        post()
