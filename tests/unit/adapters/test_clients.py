from collections.abc import Callable

import pytest
from botocore.client import BaseClient

from emr_log_guard.adapters import clients
from tests.unit.builders import OTHER_REGION, REGION

MAKERS: tuple[Callable[[], BaseClient], ...] = (
    clients.emr,
    clients.iam,
    clients.kms,
    clients.s3,
    clients.sns,
    clients.sqs,
    clients.ssm,
)


@pytest.mark.parametrize("make", MAKERS)
def test_a_client_waits_and_retries_within_bounds(make: Callable[[], BaseClient]) -> None:
    config = make().meta.config

    assert config.retries == {"mode": "adaptive", "total_max_attempts": 5}  # type: ignore[attr-defined]
    assert config.connect_timeout == 2  # type: ignore[attr-defined]
    assert config.read_timeout == 5  # type: ignore[attr-defined]
    assert "emr-log-guard" in config.user_agent_extra  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", MAKERS)
def test_a_client_is_made_once(make: Callable[[], BaseClient]) -> None:
    assert make() is make()


def test_kms_has_a_client_for_each_region() -> None:
    assert clients.kms().meta.region_name == REGION
    assert clients.kms(OTHER_REGION).meta.region_name == OTHER_REGION
    assert clients.kms(OTHER_REGION) is clients.kms(OTHER_REGION)
