"""What several folders of tests share."""

import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["sandbox.pytest_plugin"]

# A machine that is busy with something else is no failure.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

# Who starts the tests in the background may have Ctrl-C ignored, and so by all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
