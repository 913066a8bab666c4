"""Lambda gathers a queue's messages into batches for a while before it invokes. Upstream: yes.

MiniStack ignores the batching window, and takes at most ten messages. This patch is installed only
if the account is started with batching windows: most tests would only wait longer.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import part, wrap
from sandbox.settings import BATCHING_WINDOWS


def window_of(queue_arn: str) -> float:
    """The batching window of the function that a queue is mapped to, in seconds."""
    for _, _, mapping in part("services.lambda_svc", "_iter_all_esms")():
        if mapping["EventSourceArn"] == queue_arn:
            seconds: float = mapping.get("MaximumBatchingWindowInSeconds") or 0
            return seconds
    return 0


def visible(queue: dict[str, Any]) -> int:
    """The number of messages that could be received now."""
    now = time.time()
    return sum(each.get("visible_at", now) <= now for each in list(queue["messages"]))


def install() -> None:
    """Leave messages in the queue until a batch is full or the window has passed."""
    if not os.environ.get(BATCHING_WINDOWS):
        return
    opened: dict[str, float] = {}
    wake = part("services.lambda_svc", "_esm_wake")

    def gathering(receive: Callable[[str, int], list[Any]]) -> Callable[[str, int], list[Any]]:
        def receive_messages(queue_url: str, batch_size: int) -> list[Any]:
            queue = part("services.sqs", "_queues")[queue_url]
            window = window_of(queue["attributes"]["QueueArn"])
            if window and 0 < visible(queue) < batch_size:
                now = time.monotonic()
                if queue_url not in opened:
                    opened[queue_url] = now
                    timer = threading.Timer(window, wake.set)
                    timer.daemon = True
                    timer.start()
                if now < opened[queue_url] + window:
                    return []
            opened.pop(queue_url, None)
            batch = receive(queue_url, batch_size)
            while len(batch) < batch_size and (more := receive(queue_url, batch_size - len(batch))):
                batch += more
            return batch

        return receive_messages

    wrap("services.sqs", "_receive_messages_for_esm", gathering)
