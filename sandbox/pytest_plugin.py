"""Fixtures for tests that want an account: `pytest_plugins = ["sandbox.pytest_plugin"]`."""

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
    """One account for the whole session, with clusters that live fast."""
    with Sandbox.start(emr=EmrPace(launch=0.3, step=0.1, termination=0.3)) as account:
        yield account


@pytest.fixture(scope="session")
def eventually() -> Callable[..., object]:
    """`wait_for`: what a callable answers once it is true, or a failure after a deadline."""
    return wait_for


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam build` makes of the template, once for all workers: the built template's path."""
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
