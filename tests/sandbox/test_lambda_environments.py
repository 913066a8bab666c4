"""https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

from sandbox import Sandbox
from sandbox.emulator_patches.lambda_environments import ENVIRONMENTS, in_turn
from tests.sandbox.functions import invoke, make_function

BURST = 4 * ENVIRONMENTS


def function(name: str) -> dict[str, Any]:
    return {"config": {"FunctionArn": f"arn:aws:lambda:us-east-1:111122223333:function:{name}"}}


class Busy:
    """Executes invocations, and counts how many run concurrently."""

    def __init__(self, together: int) -> None:
        self.most = 0
        self._now = 0
        self._lock = Lock()
        self._together = Barrier(together)

    def __call__(self, _function: object, event: object, _request_id: str) -> dict[str, Any]:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._together.wait(60)
        with self._lock:
            self._now -= 1
        return {"body": event}


def test_burst_waits_for_environments_and_is_executed_completely() -> None:
    busy = Busy(ENVIRONMENTS)
    execute = in_turn(busy)

    with ThreadPoolExecutor(BURST) as threads:
        answers = threads.map(lambda n: execute(function("one"), n, ""), range(BURST))

    assert sorted(answer["body"] for answer in answers) == list(range(BURST))
    assert busy.most == ENVIRONMENTS


def test_functions_do_not_wait_for_each_other() -> None:
    execute = in_turn(Busy(2 * ENVIRONMENTS))

    with ThreadPoolExecutor(2 * ENVIRONMENTS) as threads:
        names = ["one", "other"] * ENVIRONMENTS
        answers = list(threads.map(lambda name: execute(function(name), name, ""), names))

    assert [answer["body"] for answer in answers] == names


COUNTING = """
calls = 0

def handler(event, context):
    global calls
    calls += 1
    if event == "raise":
        raise ValueError("as asked")
    return calls
"""

SLOW = """
import os, time

def handler(event, context):
    time.sleep(event)
    return os.environ["NUMBER"]
"""


def test_exception_leaves_the_environment_as_it_is(sandbox: Sandbox) -> None:
    name = make_function(sandbox, COUNTING)

    assert invoke(sandbox, name) == (1, False)
    error, failed = invoke(sandbox, name, "raise")

    assert failed
    assert error["errorMessage"] == "as asked"
    assert invoke(sandbox, name) == (3, False)


def test_running_invocation_ends_although_the_function_changes(sandbox: Sandbox) -> None:
    name = make_function(sandbox, SLOW, Environment={"Variables": {"NUMBER": "1"}}, Timeout=30)
    invoke(sandbox, name, 0)

    with ThreadPoolExecutor() as threads:
        running = threads.submit(invoke, sandbox, name, 3)
        time.sleep(1)
        sandbox.client("lambda").update_function_configuration(
            FunctionName=name, Environment={"Variables": {"NUMBER": "2"}}
        )
        after = invoke(sandbox, name, 0)

    assert running.result() == ("1", False)
    assert after == ("2", False)
