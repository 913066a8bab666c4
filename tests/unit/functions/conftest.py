from collections.abc import Iterator

import pytest

from emr_log_guard.adapters import clients


@pytest.fixture(scope="module", autouse=True)
def only_these_clients() -> Iterator[None]:
    """Share the functions' clients among the tests of a module, for making them all is slow.

    Neither do they come from tests of other modules, nor are they left to them.
    """
    _forget_clients()
    yield
    _forget_clients()


def _forget_clients() -> None:
    for make in vars(clients).values():
        if hasattr(make, "cache_clear"):
            make.cache_clear()
