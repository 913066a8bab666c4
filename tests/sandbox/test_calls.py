"""Calls to an account can be counted from outside."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox
from sandbox.calls import answered


def test_calls_are_counted_by_operation_and_status(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    with Sandbox.start(calls=calls) as account:
        emr = account.client("emr")
        for _ in range(3):
            emr.list_clusters()
        with pytest.raises(ClientError):
            emr.describe_cluster(ClusterId="j-NOWHERE00000")
        account.client("s3").list_buckets()

        assert answered(calls) == {
            "ElasticMapReduce.ListClusters 200": 3,
            "ElasticMapReduce.DescribeCluster 400 InvalidRequestException": 1,
        }
