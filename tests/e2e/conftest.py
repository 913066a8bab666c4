"""Two stacks, each on an account and a worker of its own: one that may only tell, one that acts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deployed import Deployed, deployed
from tests.security_hub import SecurityHub, security_hub
from tests.slack import Slack, slack_webhook


@pytest.fixture(scope="session")
def telling(built: Path) -> Iterator[Deployed]:
    """A stack in mode alert, deployed with the defaults."""
    with deployed(built) as stack:
        yield stack


@pytest.fixture(scope="session")
def slack() -> Iterator[Slack]:
    """A webhook on loopback."""
    with slack_webhook() as webhook:
        yield webhook


@pytest.fixture(scope="session")
def hub() -> Iterator[SecurityHub]:
    """Security Hub on loopback: the emulated account has none."""
    with security_hub() as server:
        yield server


@pytest.fixture(scope="session")
def acting(built: Path, slack: Slack, hub: SecurityHub) -> Iterator[Deployed]:
    """A stack with everything that can be turned on: it enforces, overrides, and tells chats."""
    rules = "EMRLOG-002,EMRLOG-003,EMRLOG-004,EMRLOG-005,EMRLOG-006,EMRLOG-008,EMRLOG-101"
    with deployed(
        built,
        webhook=slack.url,
        Mode="enforce",
        EnforcementAllowed="true",
        EnforcementRules=rules,
        GraceRunningMinutes="0",
        TerminationProtection="override",
        AmazonQNotifications="true",
        SecurityHub="true",
    ) as stack:
        for function in ("ImportFindingsFunction", "EnforceFunction"):
            stack.point(function, "SECURITYHUB", hub.url)
        yield stack
