"""No unit test may reach AWS by accident: the credentials are no good, and the Region is fixed."""

from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest

from tests.unit.environment import without_aws


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    without_aws(monkeypatch)


@pytest.fixture(scope="session", autouse=True)
def models_are_read_once() -> Iterator[None]:
    """What a session reads of AWS's models, every later session of the tests has read too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield
