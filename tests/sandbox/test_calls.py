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
        s3 = account.client("s3")
        s3.create_bucket(Bucket="logs")
        s3.put_object(Bucket="logs", Key="a/b", Body=b"x")
        s3.head_object(Bucket="logs", Key="a/b")
        key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
        s3.update_object_encryption(
            Bucket="logs", Key="a/b", ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}}
        )

        assert answered(calls) == {
            "ElasticMapReduce.ListClusters 200": 3,
            "ElasticMapReduce.DescribeCluster 400 InvalidRequestException": 1,
            "S3.PutObject 200": 1,
            "S3.HeadObject 200": 1,
            "TrentService.CreateKey 200": 1,
            "S3.UpdateObjectEncryption 200": 1,
        }
