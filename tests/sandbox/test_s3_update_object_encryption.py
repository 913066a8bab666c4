# ruff: noqa: ANN401 - requests and answers are what AWS takes and gives

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from sandbox import Sandbox


@pytest.fixture
def s3(sandbox: Sandbox) -> S3Client:
    client: S3Client = sandbox.client("s3")
    return client


def rekey(s3: Any, bucket: str, key: str, **said: Any) -> None:
    encryption = {"SSEKMS": {"KMSKeyArn": key}}
    s3.update_object_encryption(Bucket=bucket, Key="log", ObjectEncryption=encryption, **said)


def test_update_changes_only_the_key(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"precious", Metadata={"a": "b"})
    before = s3.head_object(Bucket=bucket, Key="log")

    rekey(s3, bucket, key)

    after = s3.get_object(Bucket=bucket, Key="log")
    assert after["Body"].read() == b"precious"
    assert (after["ServerSideEncryption"], after["SSEKMSKeyId"]) == ("aws:kms", key)
    assert (after["LastModified"], after["Metadata"]) == (before["LastModified"], {"a": "b"})


def test_update_can_enable_a_bucket_key(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")

    encryption: Any = {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": True}}
    s3.update_object_encryption(Bucket=bucket, Key="log", ObjectEncryption=encryption)

    assert s3.head_object(Bucket=bucket, Key="log")["BucketKeyEnabled"] is True


def test_update_of_one_version_leaves_the_others_unchanged(
    s3: S3Client, bucket: str, key: str
) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="log", Body=b"old")["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="log", Body=b"new")["VersionId"]

    rekey(s3, bucket, key, VersionId=old)

    changed = s3.head_object(Bucket=bucket, Key="log", VersionId=old)
    assert changed["SSEKMSKeyId"] == key
    for version in ({}, {"VersionId": new}):
        kept = s3.head_object(Bucket=bucket, Key="log", **version)  # type: ignore[arg-type]
        assert kept["ServerSideEncryption"] == "AES256"

    rekey(s3, bucket, key)

    for version in ({}, {"VersionId": new}):
        assert s3.head_object(Bucket=bucket, Key="log", **version)["SSEKMSKeyId"] == key  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["alias/the-key-of-the-logs", "0f0f0f0f-0000-4000-8000-000000000000"]
)
def test_update_requires_a_full_key_arn(s3: S3Client, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")

    with pytest.raises(ClientError) as caught:
        rekey(s3, bucket, name)

    assert caught.value.response["Error"]["Code"] == "InvalidRequest"


def test_update_of_another_kind_of_encryption_is_refused(
    s3: S3Client, bucket: str, key: str
) -> None:
    s3.put_object(Bucket=bucket, Key="log", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
    with pytest.raises(ClientError) as caught:
        rekey(s3, bucket, key)

    assert caught.value.response["Error"]["Code"] == "InvalidRequest"


def test_update_of_a_missing_object_creates_nothing(s3: S3Client, bucket: str, key: str) -> None:
    with pytest.raises(ClientError) as caught:
        rekey(s3, bucket, key)

    assert caught.value.response["Error"]["Code"] == "NoSuchKey"


def test_update_requires_its_own_permission_and_permissions_on_the_key(
    sandbox: Sandbox, s3: S3Client, bucket: str, key: str, role: Callable[..., dict[str, str]]
) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")
    on_object = {"Effect": "Allow", "Action": "s3:UpdateObjectEncryption", "Resource": "*"}
    on_key = {
        "Effect": "Allow",
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncrypt*"],
        "Resource": key,
    }

    for statements in ([on_key], [on_object]):
        with pytest.raises(ClientError) as caught:
            rekey(sandbox.client("s3", **role(*statements)), bucket, key)
        assert caught.value.response["Error"]["Code"] == "AccessDenied"
    rekey(sandbox.client("s3", **role(on_object, on_key)), bucket, key)
