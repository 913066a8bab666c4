import pytest

from tests.unit.stubbed_aws import StubbedAws


@pytest.fixture
def aws() -> StubbedAws:
    return StubbedAws()
