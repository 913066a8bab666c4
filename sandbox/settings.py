"""Settings that the parent passes to the account's process, as environment variables."""

import os

SOCKET = "SANDBOX_SOCKET"
"""The file descriptor of the socket to serve on."""
FOLDER = "SANDBOX_FOLDER"
"""The folder for all files of the account; deleted when the account's process exits."""
PARENT = "SANDBOX_PARENT"
"""The parent process, if the account is to exit with it."""

EMR_LAUNCH_SECONDS = "SANDBOX_EMR_LAUNCH_SECONDS"
EMR_STEP_SECONDS = "SANDBOX_EMR_STEP_SECONDS"
EMR_TERMINATION_SECONDS = "SANDBOX_EMR_TERMINATION_SECONDS"
DEFAULT_SECONDS = 1.0
EMR_QUOTAS = "SANDBOX_EMR_QUOTAS"
"""EMR's API quotas, as `sandbox.quotas` reads them, if its API is to be throttled."""
CALLS = "SANDBOX_CALLS"
"""The file to record calls in, if they are to be counted."""
BATCHING_WINDOWS = "SANDBOX_BATCHING_WINDOWS"
"""Set to have Lambda wait for the batching windows of queues."""
LATENCY_MS = "SANDBOX_LATENCY_MS"
"""The delay of each response, in milliseconds."""
FAULTS = "SANDBOX_FAULTS"
"""Set to allow injected faults, and to retry asynchronous invocations."""


def seconds(variable: str) -> float:
    """The duration of a phase of a cluster's life cycle, from its variable."""
    return float(os.environ.get(variable, DEFAULT_SECONDS))
