import socket
from collections.abc import Iterator

import pytest
from aws_lambda_powertools.utilities import parameters

from emr_log_guard.adapters import slack
from emr_log_guard.adapters.slack import SlackWebhook
from emr_log_guard.errors import AlertNotDeliveredError, InvalidConfigurationError
from tests.slack import Slack, slack_webhook

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slack"  # noqa: S105 - its name


@pytest.fixture
def server() -> Iterator[Slack]:
    with slack_webhook() as server:
        yield server


def with_secret(monkeypatch: pytest.MonkeyPatch, value: str | bytes) -> SlackWebhook:
    def get_secret(name: str, *, max_age: int) -> str | bytes:
        assert (name, max_age) == (SECRET, 300)
        return value

    monkeypatch.setattr(slack, "get_secret", get_secret)
    return SlackWebhook(SECRET)


def test_a_text_is_posted_without_formatting(
    monkeypatch: pytest.MonkeyPatch, server: Slack
) -> None:
    with_secret(monkeypatch, f"{server.url}\n").post("a &lt;!channel&gt; *b* ü")

    assert server.posts == [{"text": "a &lt;!channel&gt; *b* ü", "mrkdwn": False}]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"no_service"),
        (429, b"rate_limited"),
        (500, b"\xff"),
        (302, b"elsewhere"),
        (204, b""),
    ],
)
def test_anything_but_a_200_is_not_delivered(
    monkeypatch: pytest.MonkeyPatch, server: Slack, status: int, body: bytes
) -> None:
    server.answer = (status, body)

    with pytest.raises(AlertNotDeliveredError) as raised:
        with_secret(monkeypatch, server.url).post("hello")

    told = body.decode(errors="replace")
    assert str(raised.value) == f"Slack answered {status}: {told}"
    assert len(server.posts) == 1


def test_a_slack_that_cannot_be_reached_is_told_without_the_urls_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    webhook = with_secret(monkeypatch, f"http://127.0.0.1:{port}/services/secret")

    with pytest.raises(
        AlertNotDeliveredError, match=r"^Slack could not be reached: NewConnectionError$"
    ):
        webhook.post("hello")


@pytest.mark.parametrize(
    "secret",
    ["", "changeme", "http://hooks.slack.com/x", "ftp://x", '{"url": "https://x"}', b"https://x"],
)
def test_a_secret_that_is_no_url_is_a_mistake_of_configuration(
    monkeypatch: pytest.MonkeyPatch, secret: str | bytes
) -> None:
    with pytest.raises(InvalidConfigurationError, match=f"the secret {SECRET} must be") as raised:
        with_secret(monkeypatch, secret).post("hello")

    assert "changeme" not in str(raised.value)


def test_a_secret_that_cannot_be_read_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_secret(_name: str, **_: object) -> str:
        message = "AccessDeniedException"
        raise parameters.exceptions.GetParameterError(message)

    monkeypatch.setattr(slack, "get_secret", get_secret)

    with pytest.raises(parameters.exceptions.GetParameterError):
        SlackWebhook(SECRET).post("hello")
