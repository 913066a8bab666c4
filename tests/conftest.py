"""What several folders of tests share."""

import signal

from tests.histories import load_profile

pytest_plugins = ["sandbox.pytest_plugin"]

load_profile()

# Who starts the tests in the background may have Ctrl-C ignored, and so by all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
