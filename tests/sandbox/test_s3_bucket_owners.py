from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.fixtures import OTHER_ACCOUNT, Fixtures
from sandbox.running import root_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

STRANGER = OTHER_ACCOUNT


def test_request_that_expects_the_owner_succeeds(sandbox: Sandbox, bucket: str) -> None:
    account = sandbox.client("sts").get_caller_identity()["Account"]

    head = sandbox.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=account)

    assert head["BucketRegion"] == sandbox.client("s3").meta.region_name


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda s3, **bucket: s3.head_bucket(**bucket), "403"),
        (lambda s3, **bucket: s3.head_object(Key="log", **bucket), "403"),
        (lambda s3, **bucket: s3.get_object(Key="log", **bucket), "AccessDenied"),
        (lambda s3, **bucket: s3.list_objects_v2(**bucket), "AccessDenied"),
        (lambda s3, **bucket: s3.list_object_versions(**bucket), "AccessDenied"),
    ],
)
def test_request_that_expects_another_owner_is_refused(
    sandbox: Sandbox, bucket: str, call: Callable[..., Any], code: str
) -> None:
    s3 = sandbox.client("s3")
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")

    call(s3, Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        call(s3, Bucket=bucket, ExpectedBucketOwner=STRANGER)

    assert caught.value.response["Error"]["Code"] == code


def test_missing_bucket_is_not_found_whatever_owner_is_expected(sandbox: Sandbox) -> None:
    with pytest.raises(ClientError) as caught:
        sandbox.client("s3").head_bucket(Bucket="no-such-bucket", ExpectedBucketOwner=STRANGER)

    assert caught.value.response["Error"]["Code"] == "404"


def test_caller_without_list_permission_gets_the_same_answer_as_for_another_owner(
    sandbox: Sandbox, bucket: str, role: Callable[..., dict[str, str]]
) -> None:
    """As S3 does: the response to HEAD has no body that could tell the two cases apart."""
    account = sandbox.client("sts").get_caller_identity()["Account"]
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    s3 = sandbox.client("s3", **role(reading))

    for owner in ({}, {"ExpectedBucketOwner": account}):
        with pytest.raises(ClientError) as caught:
            s3.head_bucket(Bucket=bucket, **owner)
        assert caught.value.response["Error"]["Code"] == "403"


def test_bucket_of_another_account_allows_what_its_owner_permits(
    sandbox: Sandbox, role: Callable[..., dict[str, str]]
) -> None:
    Fixtures(sandbox).make_log_bucket("shared-logs", owner=STRANGER)
    account = sandbox.client("sts").get_caller_identity()["Account"]
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    s3 = sandbox.client("s3", **role(listing))

    for allowed in ({}, {"ExpectedBucketOwner": STRANGER}):
        assert s3.head_bucket(Bucket="shared-logs", **allowed)["BucketRegion"]
    with pytest.raises(ClientError) as caught:
        s3.head_bucket(Bucket="shared-logs", ExpectedBucketOwner=account)
    assert caught.value.response["Error"]["Code"] == "403"
    # The owner's permission is not enough: the caller's own account must grant it, too.
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_notification_configuration(Bucket="shared-logs")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_bucket_of_another_account_is_denied_without_its_owners_permission(
    sandbox: Sandbox,
) -> None:
    sandbox.client("s3", **root_user(STRANGER)).create_bucket(Bucket="closed-logs")

    for owner in ({}, {"ExpectedBucketOwner": STRANGER}):
        with pytest.raises(ClientError) as caught:
            sandbox.client("s3").head_bucket(Bucket="closed-logs", **owner)
        assert caught.value.response["Error"]["Code"] == "403"
