"""Lambda queues invocations above a function's concurrency. Upstream: no.

This is a limit of this machine, not of AWS: a function gets as many execution environments as the
machine has processors. On AWS, a burst of events finds a processor for each. Here, each environment
unpacks the layers and starts a Python process, so a burst would occupy the machine and fast
functions would time out. An invocation without a free environment waits for one outside its
timeout, as an asynchronous invocation waits in Lambda's queue. The order of arrival is not
guaranteed there either.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

import os
from collections import defaultdict
from collections.abc import Callable
from threading import BoundedSemaphore, Lock
from typing import Any

from sandbox.emulator_patches.hooks import wrap

ENVIRONMENTS = max(2, os.cpu_count() or 1)
"""At least two, because the guard must be correct with two concurrent invocations."""

type Execute = Callable[[dict[str, Any], Any, str], dict[str, Any]]


def in_turn(execute: Execute) -> Execute:
    """Make a function's invocations wait while all of its environments are busy."""
    free: defaultdict[str, BoundedSemaphore] = defaultdict(lambda: BoundedSemaphore(ENVIRONMENTS))
    lock = Lock()

    def execute_in_turn(
        function: dict[str, Any],
        event: Any,  # noqa: ANN401 - any JSON
        request_id: str,
    ) -> dict[str, Any]:
        name = str((function.get("config") or function).get("FunctionArn"))
        with lock:
            environments = free[name]
        with environments:
            return execute(function, event, request_id)

    return execute_in_turn


def install() -> None:
    """Make invocations wait for an environment."""
    wrap("services.lambda_svc", "_execute_function_warm", in_turn)
