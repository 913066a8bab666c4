from collections.abc import Iterator

import pytest

from emr_log_guard.adapters import clients, command_clients
from tests.unit.stubbed_aws import StubbedAws

CACHED = (
    clients.emr,
    clients.iam,
    clients.kms,
    clients.s3,
    clients.sqs,
    clients.ssm,
    command_clients.cloudformation,
    command_clients.functions,
    command_clients.states,
)


@pytest.fixture
def aws() -> Iterator[StubbedAws]:
    """AWS behind every client of the command."""
    stub = StubbedAws()
    for make in CACHED:
        make.cache_clear()
        stub.attach(make())
    yield stub
    for make in CACHED:
        make.cache_clear()
