"""Work on many things at once without ever holding them all."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from emr_log_guard.errors import NotReadableError


def bounded_map[T, R](
    items: Iterable[T], work: Callable[[T], R], pool: ThreadPoolExecutor, held: int
) -> Iterator[R]:
    """Work on items in a pool's threads, and give the results in the items' order.

    Args:
        items: What to work on; taken as the work goes on.
        work: What is done with each. Its errors fly when its result's turn comes.
        pool: The threads.
        held: How many items are worked on, or wait, at most.

    Raises:
        NotReadableError: There are more items, and they cannot be listed. What was listed before
            is worked on all the same.

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
