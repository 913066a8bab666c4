# ruff: noqa: ANN401 - requests and answers are what AWS takes and gives

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.fixtures import OTHER_ACCOUNT

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from sandbox import Sandbox

type Role = Callable[..., dict[str, str]]

ON_OBJECT = ("s3:PutObject", "s3:UpdateObjectEncryption")
ON_KEY = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncrypt*")
ON_FORMER_KEY = ("kms:Decrypt", "kms:ReEncryptFrom")


@pytest.fixture
def s3(sandbox: Sandbox) -> S3Client:
    client: S3Client = sandbox.client("s3")
    return client


@pytest.fixture
def locked_bucket(s3: S3Client, bucket: str) -> str:
    """A bucket with Object Lock, which needs versioning."""
    name = f"{bucket}-locked"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def rekey(s3: Any, bucket: str, key: str, **said: Any) -> None:
    encryption = {"SSEKMS": {"KMSKeyArn": key}}
    s3.update_object_encryption(Bucket=bucket, Key="log", ObjectEncryption=encryption, **said)


def refusal(s3: Any, bucket: str, key: str, **said: Any) -> tuple[int, str]:
    """The status and the code of the refusal; the object is as it was."""
    before = described(s3, bucket)
    with pytest.raises(ClientError) as caught:
        rekey(s3, bucket, key, **said)
    assert described(s3, bucket) == before
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def described(s3: Any, bucket: str) -> dict[str, Any]:
    """What HeadObject returns of the object; empty when it cannot be read."""
    try:
        head: dict[str, Any] = s3.head_object(Bucket=bucket, Key="log")
    except ClientError:
        return {}
    return {name: value for name, value in head.items() if name != "ResponseMetadata"}


def allow(actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def test_update_changes_only_the_key(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"precious", Metadata={"a": "b"})
    before = described(s3, bucket)

    rekey(s3, bucket, key)

    changed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    assert described(s3, bucket) == before | changed
    assert s3.get_object(Bucket=bucket, Key="log")["Body"].read() == b"precious"


def test_update_changes_the_key_of_an_object_that_has_one(
    sandbox: Sandbox, s3: S3Client, bucket: str, key: str
) -> None:
    former = sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption="aws:kms", SSEKMSKeyId=former)

    rekey(s3, bucket, key)

    assert described(s3, bucket)["SSEKMSKeyId"] == key


def test_update_can_enable_and_disable_a_bucket_key(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")

    encryption: Any = {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": True}}
    s3.update_object_encryption(Bucket=bucket, Key="log", ObjectEncryption=encryption)

    assert described(s3, bucket)["BucketKeyEnabled"] is True

    rekey(s3, bucket, key)

    assert not described(s3, bucket).get("BucketKeyEnabled")


def test_update_of_one_version_makes_none_and_leaves_the_others_unchanged(
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
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [version["VersionId"] for version in listed] == [new, old]


def test_update_sends_no_event(
    sandbox: Sandbox,
    s3: S3Client,
    bucket: str,
    key: str,
    eventually: Callable[..., Any],
) -> None:
    sqs, events = sandbox.client("sqs"), sandbox.client("events")
    queue = sqs.create_queue(QueueName=f"{bucket}-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=bucket, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=bucket, Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}])
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    seen: list[str] = []

    def received() -> list[str]:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        seen.extend(json.loads(each["Body"])["detail-type"] for each in answer.get("Messages", []))
        return seen

    s3.put_object(Bucket=bucket, Key="log", Body=b"x")
    eventually(received)
    rekey(s3, bucket, key)
    s3.delete_object(Bucket=bucket, Key="log")
    eventually(lambda: "Object Deleted" in received())

    assert seen == ["Object Created", "Object Deleted"]


@pytest.mark.parametrize(
    "name", ["alias/the-key-of-the-logs", "0f0f0f0f-0000-4000-8000-000000000000"]
)
def test_update_requires_a_full_key_arn(s3: S3Client, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")

    assert refusal(s3, bucket, name) == (400, "InvalidRequest")


def test_alias_arn_is_refused(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")
    alias = f"{key.partition(':key/')[0]}:alias/logs"

    assert refusal(s3, bucket, alias) == (400, "InvalidRequest")


def test_key_of_another_account_is_refused(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")
    foreign = key.replace(f":{key.split(':')[4]}:", f":{OTHER_ACCOUNT}:")

    assert refusal(s3, bucket, foreign) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("disable_key", "KMS.DisabledException"),
        ("schedule_key_deletion", "KMS.KMSInvalidStateException"),
    ],
)
def test_disabled_key_is_refused_as_new_or_former_key(
    sandbox: Sandbox, bucket: str, key: str, change: str, code: str
) -> None:
    kms, s3 = sandbox.client("kms"), sandbox.client("s3")
    bad = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption="aws:kms", SSEKMSKeyId=bad)
    getattr(kms, change)(KeyId=bad)

    assert refusal(s3, bucket, key) == (400, code)

    s3.put_object(Bucket=bucket, Key="log", Body=b"x")

    assert refusal(s3, bucket, bad) == (400, code)


def test_key_that_does_not_exist_is_refused(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")
    missing = f"{key.rpartition('/')[0]}/0f0f0f0f-0000-4000-8000-000000000000"

    assert refusal(s3, bucket, missing) == (400, "KMS.NotFoundException")


def test_object_with_a_customer_provided_key_is_refused(
    s3: S3Client, bucket: str, key: str
) -> None:
    s3.put_object(Bucket=bucket, Key="log", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)

    assert refusal(s3, bucket, key) == (400, "InvalidRequest")


def test_object_with_dual_layer_encryption_is_refused(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key)

    assert refusal(s3, bucket, key) == (400, "InvalidRequest")


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_object_under_retention_is_refused_until_it_ends(
    s3: S3Client, locked_bucket: str, key: str, mode: Any
) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    s3.put_object(
        Bucket=locked_bucket, Key="log", ObjectLockMode=mode, ObjectLockRetainUntilDate=until
    )

    assert refusal(s3, locked_bucket, key) == (403, "AccessDenied")


def test_object_whose_retention_has_ended_is_updated(
    s3: S3Client, locked_bucket: str, key: str, eventually: Callable[..., Any]
) -> None:
    until = datetime.now(UTC) + timedelta(seconds=2)
    s3.put_object(
        Bucket=locked_bucket,
        Key="log",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until,
    )

    eventually(lambda: datetime.now(UTC) > until)
    rekey(s3, locked_bucket, key)

    assert described(s3, locked_bucket)["SSEKMSKeyId"] == key


def test_object_under_legal_hold_is_refused_until_it_is_released(
    s3: S3Client, locked_bucket: str, key: str
) -> None:
    s3.put_object(Bucket=locked_bucket, Key="log", ObjectLockLegalHoldStatus="ON")

    assert refusal(s3, locked_bucket, key) == (403, "AccessDenied")

    s3.put_object_legal_hold(Bucket=locked_bucket, Key="log", LegalHold={"Status": "OFF"})
    rekey(s3, locked_bucket, key)

    assert described(s3, locked_bucket)["SSEKMSKeyId"] == key


def test_update_of_a_missing_object_creates_nothing(s3: S3Client, bucket: str, key: str) -> None:
    assert refusal(s3, bucket, key) == (404, "NoSuchKey")


def test_update_of_a_missing_version_changes_no_other(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    gone = s3.put_object(Bucket=bucket, Key="log", Body=b"x")["VersionId"]
    s3.put_object(Bucket=bucket, Key="log", Body=b"y")
    s3.delete_object(Bucket=bucket, Key="log", VersionId=gone)

    assert refusal(s3, bucket, key, VersionId=gone) == (404, "NoSuchVersion")


def test_update_that_expects_another_owner_of_the_bucket_is_refused(
    sandbox: Sandbox, s3: S3Client, bucket: str, key: str
) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"x")

    expected = {"ExpectedBucketOwner": OTHER_ACCOUNT}
    assert refusal(s3, bucket, key, **expected) == (403, "AccessDenied")

    owner = sandbox.client("sts").get_caller_identity()["Account"]
    rekey(s3, bucket, key, ExpectedBucketOwner=owner)

    assert described(s3, bucket)["SSEKMSKeyId"] == key


@pytest.mark.parametrize("missing", [*ON_OBJECT, *ON_KEY])
def test_update_requires_each_permission_on_the_object_and_on_the_new_key(
    sandbox: Sandbox, bucket: str, key: str, role: Role, missing: str
) -> None:
    sandbox.client("s3").put_object(Bucket=bucket, Key="log", Body=b"x")

    def credentials(*, without: str) -> dict[str, str]:
        objects = tuple(action for action in (*ON_OBJECT, "s3:GetObject") if action != without)
        keys = tuple(action for action in ON_KEY if action != without)
        return role(allow(objects, f"arn:aws:s3:::{bucket}/*"), allow(keys, key))

    denied = sandbox.client("s3", **credentials(without=missing))
    assert refusal(denied, bucket, key) == (403, "AccessDenied")

    rekey(sandbox.client("s3", **credentials(without="")), bucket, key)


@pytest.mark.parametrize("missing", ON_FORMER_KEY)
def test_update_requires_permissions_on_the_former_key(
    sandbox: Sandbox, bucket: str, key: str, role: Role, missing: str
) -> None:
    former = sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]
    sandbox.client("s3").put_object(
        Bucket=bucket, Key="log", ServerSideEncryption="aws:kms", SSEKMSKeyId=former
    )

    def credentials(*on_former: str) -> dict[str, str]:
        on_object = allow((*ON_OBJECT, "s3:GetObject"), f"arn:aws:s3:::{bucket}/*")
        return role(on_object, allow(ON_KEY, key), allow(on_former, former))

    [other] = set(ON_FORMER_KEY) - {missing}
    denied = sandbox.client("s3", **credentials(other))
    assert refusal(denied, bucket, key) == (403, "AccessDenied")

    rekey(sandbox.client("s3", **credentials(*ON_FORMER_KEY)), bucket, key)


def test_permissions_on_keys_may_be_limited_to_requests_through_s3(
    sandbox: Sandbox, bucket: str, key: str, role: Role
) -> None:
    former = sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3 = sandbox.client("s3")
    s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption="aws:kms", SSEKMSKeyId=former)
    on_object = allow((*ON_OBJECT, "s3:GetObject"), f"arn:aws:s3:::{bucket}/*")

    def credentials(service: str) -> dict[str, str]:
        through = {"kms:ViaService": f"{service}.{s3.meta.region_name}.amazonaws.com"}
        condition = {"Condition": {"StringEquals": through}}
        return role(on_object, allow(ON_KEY, "arn:aws:kms:*:*:key/*") | condition)

    denied = sandbox.client("s3", **credentials("ec2"))
    assert refusal(denied, bucket, key) == (403, "AccessDenied")

    rekey(sandbox.client("s3", **credentials("s3")), bucket, key)


def test_object_with_the_aws_managed_key_needs_no_permission_on_it(
    sandbox: Sandbox, s3: S3Client, bucket: str, key: str, role: Role
) -> None:
    s3.put_object(Bucket=bucket, Key="log", ServerSideEncryption="aws:kms")
    on_object = allow(ON_OBJECT, f"arn:aws:s3:::{bucket}/*")

    rekey(sandbox.client("s3", **role(on_object, allow(ON_KEY, key))), bucket, key)

    assert described(s3, bucket)["SSEKMSKeyId"] == key
