from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.unit.stubbed_aws import StubbedAws


@pytest.fixture
def aws() -> StubbedAws:
    return StubbedAws()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[HTTPConnection]]:
    """The connections that were opened without botocore."""
    connections: list[HTTPConnection] = []
    connect = HTTPConnection.connect

    def remember(connection: HTTPConnection) -> None:
        connections.append(connection)
        connect(connection)

    monkeypatch.setattr(HTTPConnection, "connect", remember)
    yield connections
    for connection in connections:
        connection.close()
