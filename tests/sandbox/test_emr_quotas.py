"""EMR's quotas apply only in an account that was started with them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("quotas")


@pytest.fixture(scope="module")
def throttling() -> Iterator[Sandbox]:
    with Sandbox.start(emr_quotas=True) as account:
        yield account


def codes(account: Sandbox, calls: int, region: str | None = None) -> list[str]:
    """Make calls concurrently; return the result code of each."""
    emr = account.client("emr", region_name=region)

    def call(_: int) -> str:
        try:
            emr.describe_cluster(ClusterId="j-NOWHERE00000")
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "OK"

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(call, range(calls)))


def test_calls_beyond_the_burst_are_throttled_until_the_bucket_refills(
    throttling: Sandbox,
) -> None:
    begun = time.monotonic()
    first = codes(throttling, 20)
    answered = first.count("InvalidRequestException")

    assert 10 <= answered <= 10 + time.monotonic() - begun
    assert first.count("ThrottlingException") == 20 - answered

    time.sleep(2.1)
    refilled = codes(throttling, 6).count("InvalidRequestException")

    assert refilled >= 2
    assert answered + refilled <= 10 + time.monotonic() - begun


def test_each_region_has_its_own_buckets(throttling: Sandbox) -> None:
    codes(throttling, 20)

    assert codes(throttling, 10, "eu-west-1").count("InvalidRequestException") == 10


def test_account_has_a_bucket_for_all_actions(throttling: Sandbox) -> None:
    emr = throttling.client("emr", region_name="eu-west-3")

    def listed(_: int) -> bool:
        try:
            emr.list_clusters()
        except ClientError:
            return False
        return True

    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        lists = sum(pool.map(listed, range(20)))
    described = codes(throttling, 10, "eu-west-3").count("InvalidRequestException")

    assert lists == 20
    assert described >= 5
    assert lists + described <= 25 + 5 * (time.monotonic() - begun)


def test_without_quotas_no_call_is_throttled(sandbox: Sandbox) -> None:
    assert set(codes(sandbox, 60)) == {"InvalidRequestException"}
