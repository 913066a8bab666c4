"""No unit test may reach AWS by accident: the credentials are no good, and the Region is fixed."""

import pytest

from tests.unit.environment import without_aws


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    without_aws(monkeypatch)
