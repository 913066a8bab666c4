"""Fixtures for tests that want an account: `pytest_plugins = ["sandbox.pytest_plugin"]`."""

from collections.abc import Callable, Iterator

import pytest

from sandbox.polling import wait_for
from sandbox.running import EmrPace, Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One account for the whole session, with clusters that live fast."""
    with Sandbox.start(emr=EmrPace(launch=0.3, step=0.1, termination=0.3)) as account:
        yield account


@pytest.fixture(scope="session")
def eventually() -> Callable[..., object]:
    """`wait_for`: what a callable answers once it is true, or a failure after a deadline."""
    return wait_for
