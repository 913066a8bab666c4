"""Two stacks that many tests share: one in mode alert, and one that enforces."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deployed import Deployed, deployed, enforcing
from tests.security_hub import SecurityHub, security_hub
from tests.slack import Slack, slack_webhook


@pytest.fixture(scope="session")
def alert_mode(released: Path) -> Iterator[Deployed]:
    """A stack in mode alert, deployed with the defaults, from what a release contains."""
    with deployed(released) as stack:
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
def enforce_mode(built: Path, slack: Slack, hub: SecurityHub) -> Iterator[Deployed]:
    """A stack with everything that can be turned on."""
    with enforcing(built, slack, hub) as stack:
        yield stack
