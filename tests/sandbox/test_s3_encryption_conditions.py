# ruff: noqa: ANN401 - clients

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox

SSE = "s3:x-amz-server-side-encryption"


@pytest.fixture
def writer(sandbox: Sandbox, role: Callable[..., dict[str, str]]) -> Any:
    """A role that may write everything with every key, to which bucket policies apply."""
    return sandbox.client(
        "s3", **role({"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"})
    )


def refuse(sandbox: Sandbox, bucket: str, condition: object) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": condition,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    sandbox.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


def test_policy_can_test_the_kms_key_of_a_put(
    sandbox: Sandbox, writer: Any, bucket: str, key: str
) -> None:
    refuse(sandbox, bucket, {"StringNotEquals": {f"{SSE}-aws-kms-key-id": key}})
    other = sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]
    with_kms = {"ServerSideEncryption": "aws:kms"}

    assert writer.put_object(Bucket=bucket, Key="log", SSEKMSKeyId=key, **with_kms)
    for encryption in ({}, with_kms, with_kms | {"SSEKMSKeyId": other}):
        with pytest.raises(ClientError, match="AccessDenied"):
            writer.put_object(Bucket=bucket, Key="log", **encryption)


def test_policy_tests_the_first_request_of_a_multipart_upload(
    sandbox: Sandbox, writer: Any, bucket: str, key: str
) -> None:
    refuse(sandbox, bucket, {"StringNotEquals": {f"{SSE}-aws-kms-key-id": key}})
    upload = writer.create_multipart_upload(
        Bucket=bucket, Key="log", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )["UploadId"]

    assert writer.upload_part(Bucket=bucket, Key="log", PartNumber=1, UploadId=upload, Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied"):
        writer.create_multipart_upload(Bucket=bucket, Key="log")


def test_policy_can_test_whether_a_put_uses_a_customer_provided_key(
    sandbox: Sandbox, writer: Any, bucket: str
) -> None:
    refuse(sandbox, bucket, {"Null": {f"{SSE}-customer-algorithm": "false"}})

    assert writer.put_object(Bucket=bucket, Key="log")
    with pytest.raises(ClientError, match="AccessDenied"):
        writer.put_object(
            Bucket=bucket, Key="log", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32
        )
