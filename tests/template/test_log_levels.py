"""Metrics are lines in the functions' logs: no LogLevel that the stack allows may drop them."""

import json
from collections.abc import Iterator

import pytest

from tests.template.stack import Stack, template
from tests.unit.environment import without_aws
from tests.unit.functions.test_handlers import an_account, an_event, invoke, load
from tests.unit.functions.test_metrics import NOTHING_OPEN, measured
from tests.unit.stubbed_aws import StubbedAws

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
ALLOWED = template()["Parameters"]["LogLevel"]["AllowedValues"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubbedAws]:
    without_aws(monkeypatch)
    yield from an_account(monkeypatch)


def sent(printed: str, level: str) -> str:
    """The lines that Lambda sends to CloudWatch Logs; a line without a level counts as INFO.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    return "\n".join(
        line for line in printed.splitlines() if LEVELS.index(level_of(line)) >= LEVELS.index(level)
    )


def level_of(line: str) -> str:
    try:
        level = json.loads(line)["level"].upper()
    except (ValueError, KeyError, TypeError):
        return "INFO"
    return level if level in LEVELS else "INFO"


def filter_of(log_level: str) -> str:
    """The level below which Lambda drops log lines for this LogLevel."""
    configured: str = Stack({"LogLevel": log_level}).deployed_global("LoggingConfig")[
        "ApplicationLogLevel"
    ]
    return configured


def test_allowed_levels_exist_in_lambda() -> None:
    assert ALLOWED
    assert set(ALLOWED) <= set(LEVELS)


@pytest.mark.parametrize("log_level", ALLOWED)
def test_metrics_pass_the_filter_of_every_allowed_level(
    aws: StubbedAws, capsys: pytest.CaptureFixture[str], log_level: str
) -> None:
    invoke(load("review_findings"), an_event("scheduled-review"))

    assert measured(sent(capsys.readouterr().out, filter_of(log_level))) == NOTHING_OPEN
    assert aws.counts["Query"] == 1


@pytest.mark.parametrize("level", ["WARN", "ERROR", "FATAL"])
def test_level_above_info_would_drop_the_metrics(
    aws: StubbedAws, capsys: pytest.CaptureFixture[str], level: str
) -> None:
    """So it is not allowed. Powertools also follows Lambda's level instead of its own.

    https://docs.aws.amazon.com/powertools/python/latest/core/logger/
    """
    invoke(load("review_findings"), an_event("scheduled-review"))

    assert not measured(sent(capsys.readouterr().out, level))
    assert level not in ALLOWED
    assert aws.counts["Query"] == 1
