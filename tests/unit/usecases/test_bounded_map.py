from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from emr_log_guard.errors import NotReadableError
from emr_log_guard.usecases.bounded_map import bounded_map


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_results_have_the_order_of_the_items(pool: ThreadPoolExecutor) -> None:
    together = Barrier(4, timeout=5)

    def work(number: int) -> int:
        together.wait()  # only four at once get past this
        return number * number

    assert list(bounded_map(range(8), work, pool, 8)) == [n * n for n in range(8)]


def test_no_more_items_are_taken_than_the_limit(pool: ThreadPoolExecutor) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = bounded_map(items(), str, pool, 10)

    assert next(results) == "0"
    assert len(taken) == 10


def test_items_listed_before_an_error_are_processed(pool: ThreadPoolExecutor) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        message = "s3:ListBucket answered SlowDown"
        raise NotReadableError(message)

    seen: list[int] = []

    with pytest.raises(NotReadableError, match="SlowDown"):
        seen.extend(bounded_map(items(), int, pool, 10))

    assert seen == [0, 1, 2]


def test_error_of_the_function_is_raised(pool: ThreadPoolExecutor) -> None:
    with pytest.raises(ZeroDivisionError):
        list(bounded_map([1, 0], lambda n: 1 / n, pool, 2))
