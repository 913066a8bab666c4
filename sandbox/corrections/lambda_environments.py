"""A function gets as many execution environments as this machine has processors, and no more.

On AWS a burst of events finds a processor for each; here each environment unpacks the layers and
starts a Python, so that a burst would keep the machine busy with nothing else, and functions would
time out that are quick. What finds no environment free waits for one, outside its timeout, as an
asynchronous invocation waits in Lambda's queue. The order of arrival does not count there either.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

import os
from collections import defaultdict
from collections.abc import Callable
from threading import BoundedSemaphore, Lock
from typing import Any

from sandbox.corrections.hooks import wrap

ENVIRONMENTS = max(2, os.cpu_count() or 1)
"""At least two: two at once is what the guard has to be right about."""

type Execute = Callable[[dict[str, Any], Any, str], dict[str, Any]]


def in_turn(execute: Execute) -> Execute:
    """Have a function's invocations wait while all of its environments are busy."""
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
    """Have invocations wait for an environment."""
    wrap("services.lambda_svc", "_execute_function_warm", in_turn)
