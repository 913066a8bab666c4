"""Waits for a condition that becomes true after a while."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.1
PATIENCE = 240.0
"""Twice the delay of a Lambda retry, so that a slow machine does not fail a test."""


def wait_for[T](look: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """Return the result of `look` as soon as it is truthy.

    Raises:
        TimeoutError: it was not truthy within `seconds`; the message contains the last result.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            message = f"not within {seconds} s; last seen: {found!r}"
            raise TimeoutError(message)
        time.sleep(POLL_SECONDS)
    return found
