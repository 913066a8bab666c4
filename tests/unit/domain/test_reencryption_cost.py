import pytest

from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from emr_log_guard.domain.reencryption_cost import (
    Estimate,
    batch_operations_cost,
    reencryption_cost,
)
from tests.unit.builders import ACCOUNT, KEY, NOW


def counts(estimate: Estimate) -> dict[str, int]:
    return {charge.what: charge.count for charge in estimate.charges}


def test_object_takes_two_head_requests_and_one_update() -> None:
    assert counts(reencryption_cost(1, listed=1)) == {
        "list requests": 1,
        "HeadObject": 2,
        "UpdateObjectEncryption": 1,
        "KMS requests, at most": 2,
    }


def test_compliant_object_takes_one_head_request() -> None:
    found = counts(reencryption_cost(0, listed=1_001))

    assert found["list requests"] == 2
    assert found["HeadObject"] == 1_001
    assert found["UpdateObjectEncryption"] == 0


def test_million_objects_cost_about_twelve_dollars() -> None:
    # 0.005 for lists, 2 x 0.40 for HeadObject, 5.00 for the updates, 6.00 for KMS.
    assert reencryption_cost(1_000_000, listed=1_000_000).usd == pytest.approx(11.805)


def a_job(objects: int, in_bucket: int) -> ReencryptionJob:
    return ReencryptionJob(
        ACCOUNT, "example-logs", "a/", FormerEncryption(), KEY.arn, NOW, objects, in_bucket
    )


def test_batch_operations_charge_for_jobs_lists_and_objects() -> None:
    jobs = [a_job(6_000_000, 12_000_000), a_job(4_000_000, 8_000_000)]

    # 2 x 0.25 for jobs, 20 x 0.015 to list, 10 for objects, 50 for the updates, 60 for KMS.
    assert batch_operations_cost(jobs).usd == pytest.approx(0.50 + 0.30 + 10 + 50 + 60)


def test_no_objects_cost_nothing() -> None:
    assert batch_operations_cost([]).usd == 0
    assert reencryption_cost(0, listed=0).usd == 0
