"""Waiting for what comes true after a while."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.1
PATIENCE = 240.0
"""Longer than a Lambda retry takes to come, twice: a slow machine is no failure."""


def wait_for[T](look: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """What `look` answers as soon as it is true.

    Raises:
        TimeoutError: it was not true within `seconds`; the message has the last answer.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            message = f"not within {seconds} s; last seen: {found!r}"
            raise TimeoutError(message)
        time.sleep(POLL_SECONDS)
    return found
