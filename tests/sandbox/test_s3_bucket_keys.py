from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from sandbox import Sandbox


@pytest.fixture
def s3(sandbox: Sandbox) -> S3Client:
    client: S3Client = sandbox.client("s3")
    return client


def test_bucket_key_requested_by_a_write_is_returned(s3: S3Client, bucket: str, key: str) -> None:
    put = s3.put_object(
        Bucket=bucket,
        Key="log",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key,
        BucketKeyEnabled=True,
    )

    assert put["BucketKeyEnabled"] is True
    assert s3.head_object(Bucket=bucket, Key="log")["BucketKeyEnabled"] is True
    assert s3.get_object(Bucket=bucket, Key="log")["BucketKeyEnabled"] is True


def test_bucket_default_applies_unless_the_write_overrides_it(
    s3: S3Client, bucket: str, key: str
) -> None:
    rule: Any = {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": key,
        },
        "BucketKeyEnabled": True,
    }
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [rule]},
    )
    s3.put_object(Bucket=bucket, Key="default")
    s3.put_object(Bucket=bucket, Key="without", BucketKeyEnabled=False)

    assert s3.head_object(Bucket=bucket, Key="default")["BucketKeyEnabled"] is True
    assert not s3.head_object(Bucket=bucket, Key="without").get("BucketKeyEnabled")


def test_without_a_kms_key_there_is_no_bucket_key(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption="AES256", BucketKeyEnabled=True)

    assert "BucketKeyEnabled" not in s3.head_object(Bucket=bucket, Key="log")
