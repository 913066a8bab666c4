from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from sandbox import Sandbox

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def code_of_head(sandbox: Sandbox, bucket: str, credentials: dict[str, str]) -> str:
    with pytest.raises(ClientError) as caught:
        sandbox.client("s3", **credentials).head_object(Bucket=bucket, Key="none")
    return caught.value.response["Error"]["Code"]


def test_missing_object_is_a_404_for_a_caller_with_list_permission(
    sandbox: Sandbox, bucket: str, role: Callable[..., dict[str, str]]
) -> None:
    listing = {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
    }

    assert code_of_head(sandbox, bucket, role(READ, listing)) == "404"


def test_missing_object_is_a_403_for_a_caller_without_list_permission(
    sandbox: Sandbox, bucket: str, role: Callable[..., dict[str, str]]
) -> None:
    credentials = role(READ)

    assert code_of_head(sandbox, bucket, credentials) == "403"
    with pytest.raises(ClientError) as caught:
        sandbox.client("s3", **credentials).get_object(Bucket=bucket, Key="none")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_reading_a_version_requires_permission_for_versions(
    sandbox: Sandbox, bucket: str, role: Callable[..., dict[str, str]]
) -> None:
    s3 = sandbox.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="log", Body=b"x")["VersionId"]
    versions = {"Effect": "Allow", "Action": "s3:GetObjectVersion", "Resource": "*"}

    sandbox.client("s3", **role(versions)).head_object(Bucket=bucket, Key="log", VersionId=version)
    with pytest.raises(ClientError) as caught:
        sandbox.client("s3", **role(READ)).head_object(Bucket=bucket, Key="log", VersionId=version)
    assert caught.value.response["Error"]["Code"] == "403"
