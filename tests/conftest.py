"""What several folders of tests share."""

import io
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.histories import load_profile
from tools.package import archive

pytest_plugins = ["sandbox.pytest_plugin"]

load_profile()

# Who starts the tests in the background may have Ctrl-C ignored, and so by all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say at the very end what was skipped for want of a browser, and how to get one."""
    yield
    skipped = [
        each
        for each in terminalreporter.stats.get("skipped", ())
        if each.nodeid.startswith("tests/browser/")
    ]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests of the report were skipped, for they need a browser: install "
            "Chromium (apt-get install chromium), then run make test PYTEST_ARGS=tests/browser",
            yellow=True,
        )


@pytest.fixture(scope="session")
def released(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the template in an unpacked release."""
    folder = tmp_path_factory.mktemp("released")
    with tarfile.open(fileobj=io.BytesIO(archive(built.parent, "emr-log-guard"))) as tar:
        tar.extractall(folder, filter="data")
    return folder / "emr-log-guard" / "template.yaml"
