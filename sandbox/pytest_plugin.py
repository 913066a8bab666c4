"""Fixtures for tests that need an account: `pytest_plugins = ["sandbox.pytest_plugin"]`."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.deployment import build
from sandbox.polling import wait_for
from sandbox.running import EmrPace, Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One account for the whole session, in which clusters change their state quickly."""
    with Sandbox.start(emr=EmrPace(launch=0.3, step=0.1, termination=0.3)) as account:
        yield account


@pytest.fixture(scope="session")
def eventually() -> Callable[..., object]:
    """`wait_for`: the result of a callable once it is truthy, or a failure after a deadline."""
    return wait_for


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the built template; `sam build` runs once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    into = folder / "sam" / "build"
    with (folder / "sam.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "sam.done"
        if not done.exists():
            build(into=into)
            done.touch()
    return into / "template.yaml"
