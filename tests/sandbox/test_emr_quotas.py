"""EMR's quotas apply only in an account that was started with them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox
from sandbox.calls import answered
from sandbox.quotas import ALL_ACTIONS, DEFAULT_QUOTAS, Quota

pytestmark = pytest.mark.xdist_group("quotas")


@pytest.fixture(scope="module")
def throttling() -> Iterator[Sandbox]:
    with Sandbox.start(emr_quotas=DEFAULT_QUOTAS) as account:
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


def test_each_action_has_a_bucket_of_the_given_size() -> None:
    one = Quota(1, 0.001)
    actions = ("DescribeCluster", "DescribeStep", "ListClusters", "ListSessions", "ListSteps")
    with Sandbox.start(emr_quotas=dict.fromkeys(actions, one)) as account:
        emr = account.client("emr")
        ask: dict[str, Callable[[], object]] = {
            "DescribeCluster": lambda: emr.describe_cluster(ClusterId="j-NONE"),
            "DescribeStep": lambda: emr.describe_step(ClusterId="j-NONE", StepId="s-NONE"),
            "ListClusters": emr.list_clusters,
            "ListSessions": lambda: emr.list_sessions(ClusterId="j-NONE"),
            "ListSteps": lambda: emr.list_steps(ClusterId="j-NONE"),
        }
        for action in actions:
            assert not throttled(ask[action]), action
            assert throttled(ask[action]), action


def test_all_actions_share_a_bucket_of_the_given_size() -> None:
    with Sandbox.start(emr_quotas={ALL_ACTIONS: Quota(2, 0.001)}) as account:
        emr = account.client("emr")

        assert not throttled(emr.list_clusters)
        assert not throttled(lambda: emr.list_sessions(ClusterId="j-NONE"))
        assert throttled(lambda: emr.list_steps(ClusterId="j-NONE"))


def test_throttled_calls_are_counted_apart_from_other_errors(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    with Sandbox.start(emr_quotas={"DescribeCluster": Quota(3, 0.001)}, calls=calls) as account:
        codes(account, 5)

        assert answered(calls) == {
            "ElasticMapReduce.DescribeCluster 400 InvalidRequestException": 3,
            "ElasticMapReduce.DescribeCluster 400 ThrottlingException": 2
            * 2,  # botocore retries once
        }


def throttled(ask: Callable[[], object]) -> bool:
    """Whether a call was refused for EMR's quota, even if it has other errors."""
    try:
        ask()
    except ClientError as error:
        return error.response["Error"] == {
            "Code": "ThrottlingException",
            "Message": "Rate exceeded",
        }
    return False


def test_without_quotas_no_call_is_throttled(sandbox: Sandbox) -> None:
    assert set(codes(sandbox, 60)) == {"InvalidRequestException"}
