"""Process many items concurrently without holding all of them in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from emr_log_guard.errors import NotReadableError


def bounded_map[T, R](
    items: Iterable[T], work: Callable[[T], R], pool: ThreadPoolExecutor, held: int
) -> Iterator[R]:
    """Process items in a pool's threads, and return the results in the items' order.

    Args:
        items: The items; consumed as needed.
        work: Processes one item. Its errors propagate in the items' order.
        pool: The threads.
        held: How many items are in progress or waiting, at most.

    Raises:
        NotReadableError: The rest of the items cannot be listed. The listed ones are processed
            first.

    """
    waiting: deque[Future[R]] = deque()
    unlisted: NotReadableError | None = None
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= held:
                yield waiting.popleft().result()
    except NotReadableError as error:
        unlisted = error
    while waiting:
        yield waiting.popleft().result()
    if unlisted:
        raise unlisted
