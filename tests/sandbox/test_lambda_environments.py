"""https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html"""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

from sandbox.emulator_patches.lambda_environments import ENVIRONMENTS, in_turn

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
