"""What several folders of tests share."""

import signal
from collections.abc import Iterator

import pytest

from tests.histories import load_profile

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
