"""The wiring: each function's use case, made once a cold start from its environment.

A module a function, named as it is: no function's start pays for what others need. Nor for the
garbage collector, which would find nothing to collect: what is made until the wiring ends stays as
long as the function does, so no later collection looks through it either.
https://docs.python.org/3.13/library/gc.html#gc.freeze
"""

import gc
from collections.abc import Callable
from functools import wraps

from emr_log_guard.bootstrap import generated_methods
from emr_log_guard.bootstrap.postponed import postpone

gc.disable()
generated_methods.use()
postpone("asyncio")  # which Powertools' batches import for those of coroutines


def completes_start[**P, R](wire: Callable[P, R]) -> Callable[P, R]:
    """Have the collector at work again once a function is wired, whatever comes of it."""

    @wraps(wire)
    def wire_and_complete(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return wire(*args, **kwargs)
        finally:
            gc.freeze()
            gc.enable()

    return wire_and_complete
