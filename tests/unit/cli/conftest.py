from typing import Any

import pytest
from botocore.session import Session

from tests.unit.stubbed_aws import StubbedAws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> StubbedAws:
    """AWS behind every client that the command makes."""
    stub = StubbedAws()
    create = Session.create_client

    def create_client(session: Session, *given: Any, **settings: Any) -> Any:  # noqa: ANN401
        return stub.attach(create(session, *given, **settings))

    monkeypatch.setattr(Session, "create_client", create_client)
    return stub
