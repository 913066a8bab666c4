"""Alerts are replayed to the subscriber that failed, if it is known."""

from collections.abc import Mapping
from typing import Any

import pytest

from emr_log_guard.errors import NotDeployedError
from emr_log_guard.events.replay import ForSubscribers
from emr_log_guard.usecases.replay.replay import (
    EMIT_EVENTS,
    NOTIFY_AMAZON_Q,
    NOTIFY_SLACK,
    DeployedStack,
    Replay,
)

SLACK = {NOTIFY_SLACK: "stack-slack-1A"}
AMAZON_Q = {NOTIFY_AMAZON_Q: "stack-q-2B"}
BUS = {EMIT_EVENTS: "stack-bus-3C"}
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function"


class Functions:
    def __init__(self) -> None:
        self.invoked: list[str] = []

    def invoke(self, name: str, event: Mapping[str, Any]) -> None:
        assert event == {"Records": []}
        self.invoked.append(name)


class Queues:
    def send(self, url: str, body: str) -> None:
        raise AssertionError((url, body))


@pytest.mark.parametrize(
    ("deployed", "failed", "invoked", "words"),
    [
        (SLACK, "", ["stack-slack-1A"], "posted to Slack"),
        (AMAZON_Q, "", ["stack-q-2B"], "handed to Amazon Q"),
        (
            SLACK | AMAZON_Q,
            "",
            ["stack-slack-1A", "stack-q-2B"],
            "posted to Slack and handed to Amazon Q",
        ),
        (SLACK | AMAZON_Q, "stack-q-2B:$LATEST", ["stack-q-2B"], "handed to Amazon Q"),
        (
            SLACK | BUS,
            "",
            ["stack-slack-1A", "stack-bus-3C"],
            "posted to Slack and put on the event bus",
        ),
        (SLACK | BUS, "stack-bus-3C", ["stack-bus-3C"], "put on the event bus"),
        (SLACK | AMAZON_Q, "stack-slack-1A", ["stack-slack-1A"], "posted to Slack"),
        (SLACK, "stack-of-before:$LATEST", ["stack-slack-1A"], "posted to Slack"),
    ],
)
def test_alert_is_replayed_to_the_subscriber_that_failed(
    deployed: dict[str, str], failed: str, invoked: list[str], words: str
) -> None:
    functions = Functions()
    replay = Replay(DeployedStack("s", deployed), functions, Queues())
    what = ForSubscribers({"Records": []}, (), f"{FUNCTION}:{failed}" if failed else "")

    assert replay.run(what) == words
    assert functions.invoked == invoked


def test_stack_without_subscribers_raises_not_deployed() -> None:
    replay = Replay(DeployedStack("s", {}), Functions(), Queues())

    with pytest.raises(NotDeployedError, match="is it a stack of EMR Log Guard"):
        replay.run(ForSubscribers({"Records": []}, ()))
