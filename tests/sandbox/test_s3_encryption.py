# ruff: noqa: ANN401 - requests and answers are what AWS takes and gives

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client

    from sandbox import Sandbox


@pytest.fixture
def s3(sandbox: Sandbox) -> S3Client:
    client: S3Client = sandbox.client("s3")
    return client


@pytest.fixture
def kms(sandbox: Sandbox) -> KMSClient:
    client: KMSClient = sandbox.client("kms")
    return client


def test_plain_put_is_encrypted_with_aes256(s3: S3Client, bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="log", Body=b"x")

    assert put["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket=bucket, Key="log")["ServerSideEncryption"] == "AES256"
    assert s3.get_object(Bucket=bucket, Key="log")["ServerSideEncryption"] == "AES256"


def test_copies_and_multipart_uploads_are_encrypted_with_aes256(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "log"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", PartNumber=1, UploadId=upload, Body=b"x")
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )

    for key in ("copy", "parts"):
        assert s3.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"] == "AES256"


def test_aws_kms_without_a_key_uses_the_aws_managed_key(
    s3: S3Client, kms: KMSClient, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x", ServerSideEncryption="aws:kms")

    head = s3.head_object(Bucket=bucket, Key="log")
    key = kms.describe_key(KeyId=head["SSEKMSKeyId"])["KeyMetadata"]
    assert key["KeyManager"] == "AWS"
    assert key["Arn"] == head["SSEKMSKeyId"]


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_key_is_returned_as_arn_however_it_was_named(
    s3: S3Client, kms: KMSClient, bucket: str, key: str, algorithm: Any
) -> None:
    alias = f"alias/{bucket}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    alias_arn = key.rpartition(":")[0] + f":{alias}"

    for name in (key, key.rpartition("/")[2], alias, alias_arn):
        s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption=algorithm, SSEKMSKeyId=name)
        head = s3.head_object(Bucket=bucket, Key="log")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == (algorithm, key)


def test_bucket_default_applies_to_a_write_without_encryption(
    s3: S3Client, bucket: str, key: str
) -> None:
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": key.rpartition("/")[2],
                    }
                }
            ]
        },
    )
    s3.put_object(Bucket=bucket, Key="default", Body=b"x")
    s3.put_object(Bucket=bucket, Key="own", Body=b"x", ServerSideEncryption="AES256")

    assert s3.head_object(Bucket=bucket, Key="default")["SSEKMSKeyId"] == key
    assert s3.head_object(Bucket=bucket, Key="own")["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("missing", "KMS.NotFoundException"),
        ("elsewhere", "KMS.NotFoundException"),
        ("disabled", "KMS.DisabledException"),
        ("going", "KMS.KMSInvalidStateException"),
    ],
)
def test_write_with_an_unusable_key_is_refused(
    sandbox: Sandbox, bucket: str, key: str, state: str, code: str
) -> None:
    s3, kms = sandbox.client("s3"), sandbox.client("kms")
    if state == "missing":
        key = key[:-12] + "000000000000"
    elif state == "elsewhere":
        key = key.replace("us-east-1", "eu-west-1")
    elif state == "disabled":
        kms.disable_key(KeyId=key)
    else:
        kms.schedule_key_deletion(KeyId=key)

    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)

    assert caught.value.response["Error"]["Code"] == code


def test_object_with_a_customer_provided_key_is_a_400_without_it(s3: S3Client, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket, Key="log", Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32
    )

    with pytest.raises(ClientError) as head:
        s3.head_object(Bucket=bucket, Key="log")
    with pytest.raises(ClientError) as get:
        s3.get_object(Bucket=bucket, Key="log")

    assert head.value.response["Error"]["Code"] == "400"
    assert get.value.response["Error"]["Code"] == "InvalidRequest"
    with_key = s3.head_object(
        Bucket=bucket, Key="log", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32
    )
    assert "ServerSideEncryption" not in with_key


def test_reads_and_writes_require_permission_on_the_key_and_head_does_not(
    sandbox: Sandbox, s3: S3Client, bucket: str, key: str, role: Callable[..., dict[str, str]]
) -> None:
    s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    on_objects = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    on_key = {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": key}
    without = sandbox.client("s3", **role(on_objects))
    allowed = sandbox.client("s3", **role(on_objects, on_key))

    assert without.head_object(Bucket=bucket, Key="log")["SSEKMSKeyId"] == key
    with pytest.raises(ClientError, match="kms:Decrypt"):
        without.get_object(Bucket=bucket, Key="log")
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        without.put_object(Bucket=bucket, Key="n", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    without.put_object(Bucket=bucket, Key="n", ServerSideEncryption="aws:kms")
    without.get_object(Bucket=bucket, Key="n")
    allowed.get_object(Bucket=bucket, Key="log")
    allowed.put_object(Bucket=bucket, Key="n", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
