"""Times a warm handler without its AWS calls: `warm.py ROUNDS EVENT`.

In the event, ROUND is replaced by the number of the round.

The time between a request and its response is subtracted, which is correct only for handlers that
make their calls sequentially. The CPU time is reported, too.
"""

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from types import SimpleNamespace
from typing import Any

from botocore.httpsession import URLLib3Session
from urllib3 import PoolManager

rounds, template = sys.argv[1:]
away = 0.0


def timed(send: Callable[..., Any]) -> Callable[..., Any]:
    """Record how long a request takes."""

    def send_timed(*given: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        global away  # noqa: PLW0603 - all requests add to it
        begun = time.perf_counter()
        try:
            return send(*given, **options)
        finally:
            away += time.perf_counter() - begun

    return send_timed


URLLib3Session.send = timed(URLLib3Session.send)  # type: ignore[method-assign]
PoolManager.urlopen = timed(PoolManager.urlopen)  # type: ignore[method-assign]

import app  # type: ignore[import-not-found]  # noqa: E402 - with the timing in place

context = SimpleNamespace(
    function_name="benchmark",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:111122223333:function:benchmark",
    aws_request_id="0",
    get_remaining_time_in_millis=lambda: 60_000,
)
walls, processors = [], []
for number in range(int(rounds) + 1):
    event = json.loads(template.replace("ROUND", str(number)))
    away = 0.0
    used, begun = time.process_time(), time.perf_counter()
    answer = app.lambda_handler(event, context)
    walls.append(time.perf_counter() - begun - away)
    processors.append(time.process_time() - used)
# The first round is the warm-up.
result = {"seconds": median(walls[1:]), "processor": median(processors[1:]), "answer": repr(answer)}
sys.stdout.write(f"{json.dumps(result)}\n")
