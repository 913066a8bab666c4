from collections.abc import Iterator

import pytest

from emr_log_guard.observability import metrics
from tests.unit.usecases.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def measured() -> Iterator[None]:
    """A hundred values of a metric are written out, which needs its namespace."""
    metrics.namespace = "EmrLogGuard"
    yield
    metrics.clear_metrics()
