"""What the starter of an account tells its process, through the environment."""

import os

SOCKET = "SANDBOX_SOCKET"
"""The file descriptor of the socket to serve on."""
FOLDER = "SANDBOX_FOLDER"
"""The folder of everything that the account writes; removed when it ends."""
PARENT = "SANDBOX_PARENT"
"""The process to end with, if any."""

EMR_LAUNCH_SECONDS = "SANDBOX_EMR_LAUNCH_SECONDS"
EMR_STEP_SECONDS = "SANDBOX_EMR_STEP_SECONDS"
EMR_TERMINATION_SECONDS = "SANDBOX_EMR_TERMINATION_SECONDS"
DEFAULT_SECONDS = 1.0
EMR_QUOTAS = "SANDBOX_EMR_QUOTAS"
"""Set where EMR throttles as it does in an account whose quotas nobody raised."""
CALLS = "SANDBOX_CALLS"
"""The file to note calls in, if they are to be counted."""
LATENCY_MS = "SANDBOX_LATENCY_MS"
"""How long each answer is held back, in milliseconds."""
FAULTS = "SANDBOX_FAULTS"
"""Set where faults may be injected, and asynchronous invocations are retried."""


def seconds(variable: str) -> float:
    """How long a phase of a cluster's life takes."""
    return float(os.environ.get(variable, DEFAULT_SECONDS))
