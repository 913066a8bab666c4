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


def test_who_may_list_the_bucket_learns_that_it_is_missing(
    sandbox: Sandbox, bucket: str, role: Callable[..., dict[str, str]]
) -> None:
    listing = {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
    }

    assert code_of_head(sandbox, bucket, role(READ, listing)) == "404"


def test_who_may_not_does_not(
    sandbox: Sandbox, bucket: str, role: Callable[..., dict[str, str]]
) -> None:
    credentials = role(READ)

    assert code_of_head(sandbox, bucket, credentials) == "403"
    with pytest.raises(ClientError) as caught:
        sandbox.client("s3", **credentials).get_object(Bucket=bucket, Key="none")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_a_version_takes_the_permission_for_versions(
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
