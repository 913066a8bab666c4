"""Execution environments: how many there are, and when one ends. Upstream: in part.

Running invocations end in the environment that they started in, even if the function is changed
meanwhile; and an exception that a handler raises leaves its environment as it is. MiniStack ends
the environment in both cases: invocations were lost when a function's variables changed, and each
error cost a cold start.

The number of environments is a limit of this machine, not of AWS: a function gets as many execution
environments as the machine has processors. On AWS, a burst of events finds a processor for each.
Here, each environment starts a Python process, so a burst would occupy the machine and fast
functions would time out. An invocation without a free environment waits for one outside its
timeout, as an asynchronous invocation waits in Lambda's queue. The order of arrival is not
guaranteed there either.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from threading import BoundedSemaphore, Lock
from typing import Any, Protocol

from sandbox.emulator_patches.hooks import HookMissingError, part, replace, wrap

ENVIRONMENTS = max(2, os.cpu_count() or 1)
"""At least two, because the guard must be correct with two concurrent invocations."""

RAISED = 'except Exception as e:\n            _real_stdout.write(json.dumps({"status": "error"'
"""Where MiniStack's runtime for Python reports that a handler raised an exception."""


class Environment(Protocol):
    """MiniStack's execution environment."""

    config: dict[str, Any]
    in_use: bool


type Kill = Callable[[list[Environment | None]], None]
type Invoke = Callable[..., dict[str, Any]]
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


def keep_running(kill: Kill) -> Kill:
    """Have environments that are in use end only after their invocation, or its timeout."""

    def end_later(environment: Environment) -> None:
        deadline = time.monotonic() + float(environment.config.get("Timeout", 30))
        while environment.in_use and time.monotonic() < deadline:
            time.sleep(0.05)
        kill([environment])

    def kill_idle(environments: list[Environment | None]) -> None:
        kill([each for each in environments if each and not each.in_use])
        for each in environments:
            if each and each.in_use:
                threading.Thread(target=end_later, args=(each,), daemon=True).start()

    return kill_idle


def survive_errors(script: str) -> str:
    """Have MiniStack's runtime for Python report an exception as a result that is an error.

    Raises:
        HookMissingError: the runtime reports it differently: it is another version of MiniStack.
    """
    if RAISED not in script:
        message = "ministack.core.lambda_runtime reports exceptions differently"
        raise HookMissingError(message)
    return script.replace(RAISED, RAISED.replace('"error"', '"ok", "raised": True'))


def as_error(invoke: Invoke) -> Invoke:
    """Return as an error what the runtime reported as a result that is one."""

    def invoke_and_read(*args: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on
        response = invoke(*args, **more)
        return response | {"status": "error"} if response.pop("raised", False) else response

    return invoke_and_read


def install() -> None:
    """Make invocations wait for an environment, and environments last."""
    wrap("services.lambda_svc", "_execute_function_warm", in_turn)
    wrap("core.lambda_runtime", "kill_workers", keep_running)
    replace("core.lambda_runtime", "_PYTHON_WORKER_SCRIPT", survive_errors)
    worker = part("core.lambda_runtime", "Worker")
    worker.invoke = as_error(worker.invoke)
