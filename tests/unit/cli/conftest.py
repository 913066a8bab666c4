from typing import Any

import pytest
from botocore.session import Session

from tests.unit.cli.policies import STORED, store
from tests.unit.stubbed_aws import AwsError, StubbedAws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> StubbedAws:
    """AWS behind every client that the command makes."""
    stub = StubbedAws()
    create = Session.create_client

    def create_client(session: Session, *given: Any, **settings: Any) -> Any:  # noqa: ANN401
        return stub.attach(create(session, *given, **settings))

    monkeypatch.setattr(Session, "create_client", create_client)
    return stub


@pytest.fixture
def stored(aws: StubbedAws) -> StubbedAws:
    """A policy that is stored, and no stack."""
    aws.answer("ListStackResources", AwsError("ValidationError"))
    store(aws, STORED)
    aws.answer("PutParameter", {"Version": 8})
    return aws
