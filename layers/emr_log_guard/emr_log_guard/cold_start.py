"""Spares a function's start the garbage collector, which would find nothing to collect.

Imported before all else that a function imports. What is made until the wiring ends stays as long
as the function does, so no later collection looks through it either.
https://docs.python.org/3.13/library/gc.html#gc.freeze
"""

import gc
from collections.abc import Callable
from functools import wraps

gc.disable()


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
