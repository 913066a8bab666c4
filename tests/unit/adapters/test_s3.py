import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody
from moto import mock_aws

from emr_log_guard.adapters.s3 import (
    AuditedLogObjects,
    S3Buckets,
    S3Folders,
    S3LogFolders,
    S3LogObjects,
)
from emr_log_guard.domain.clusters import BucketOwnership
from emr_log_guard.domain.log_objects import SSE_C, Encryption, ObjectVersion
from emr_log_guard.domain.rescan import Folder
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    AccessDeniedError,
    NotReadableError,
    ObjectNotFoundError,
    ReencryptionRefusedError,
    TemporarilyUnavailableError,
)
from tests.unit.builders import ACCOUNT, KEY, OTHER_REGION, REGION, reason_of
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

PLAIN = ObjectVersion("example-logs", "emr/j-1A/stderr.gz")
VERSIONED = ObjectVersion("example-logs", "emr/j-1A/stderr.gz", "v1")
BAD_REQUEST = AwsError("400", "Bad Request")
NEVER_ANSWERED = ReadTimeoutError(endpoint_url="https://s3.invalid")


@pytest.fixture
def objects(aws: StubbedAws) -> S3LogObjects:
    return S3LogObjects(aws.attach(boto3.client("s3")))


@pytest.mark.parametrize(
    ("head", "encryption"),
    [
        ({}, Encryption(None)),
        ({"ServerSideEncryption": "AES256"}, Encryption("AES256")),
        (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY.arn, "BucketKeyEnabled": True},
            Encryption("aws:kms", KEY.arn),
        ),
        (
            {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": KEY.arn},
            Encryption("aws:kms:dsse", KEY.arn),
        ),
        ({"ServerSideEncryption": "aws:fsx"}, Encryption("aws:fsx")),
    ],
)
def test_head_object_yields_the_encryption(
    aws: StubbedAws, objects: S3LogObjects, head: Answer, encryption: Encryption
) -> None:
    aws.answer("HeadObject", head)

    assert objects.encryption(PLAIN) == encryption
    assert aws.calls == [("HeadObject", {"Bucket": "example-logs", "Key": "emr/j-1A/stderr.gz"})]


def test_version_id_is_passed_to_head_object(aws: StubbedAws, objects: S3LogObjects) -> None:
    aws.answer("HeadObject", {"ServerSideEncryption": "AES256"})

    objects.encryption(VERSIONED)

    ((_, params),) = aws.calls
    assert params["VersionId"] == "v1"


def test_deleted_object_raises_object_not_found(aws: StubbedAws, objects: S3LogObjects) -> None:
    aws.answer("HeadObject", AwsError("404", "Not Found", 404))

    with pytest.raises(ObjectNotFoundError, match=r"s3://example-logs/emr/j-1A/stderr\.gz"):
        objects.encryption(PLAIN)


def test_denied_object_is_unresolved(aws: StubbedAws, objects: S3LogObjects) -> None:
    aws.answer("HeadObject", AwsError("403", "Forbidden", 403))

    assert reason_of(objects.encryption(VERSIONED)) == (
        "s3:HeadObject on s3://example-logs/emr/j-1A/stderr.gz?versionId=v1 answered 403"
    )


@pytest.mark.parametrize("version", [PLAIN, VERSIONED], ids=["plain", "versioned"])
def test_customer_provided_key_is_recognized_by_get_object(
    aws: StubbedAws, objects: S3LogObjects, version: ObjectVersion
) -> None:
    aws.answer("HeadObject", BAD_REQUEST)
    aws.answer("GetObject", AwsError("InvalidRequest"))

    assert objects.encryption(version) == Encryption(SSE_C)
    _, (operation, params) = aws.calls
    assert operation == "GetObject"
    assert params["Range"] == "bytes=0-0"
    assert params.get("VersionId") == version.version_id


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "AccessDenied", "InvalidToken", "SlowDown", "InternalError"]
)
def test_bad_request_for_another_reason_is_unresolved(
    aws: StubbedAws, objects: S3LogObjects, code: str
) -> None:
    aws.answer("HeadObject", BAD_REQUEST)
    aws.answer("GetObject", AwsError(code))

    assert reason_of(objects.encryption(PLAIN)) == (
        f"s3:GetObject on s3://example-logs/emr/j-1A/stderr.gz answered {code}"
    )


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion"])
def test_object_deleted_after_a_bad_request_raises_object_not_found(
    aws: StubbedAws, objects: S3LogObjects, code: str
) -> None:
    aws.answer("HeadObject", BAD_REQUEST)
    aws.answer("GetObject", AwsError(code, status=404))

    with pytest.raises(ObjectNotFoundError):
        objects.encryption(PLAIN)


@pytest.mark.parametrize("version", [PLAIN, VERSIONED], ids=["plain", "versioned"])
def test_unexplained_bad_request_is_unresolved(
    aws: StubbedAws, objects: S3LogObjects, version: ObjectVersion
) -> None:
    stream = io.BytesIO(b"x")
    aws.answer("HeadObject", BAD_REQUEST)
    aws.answer("GetObject", {"Body": StreamingBody(stream, 1)})

    assert reason_of(objects.encryption(version)) == (f"s3:HeadObject on {version} answered 400")
    assert stream.closed


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (AwsError("500", status=500), "answered 500"),
        (AwsError("503", status=503), "answered 503"),
        (NEVER_ANSWERED, "failed with ReadTimeoutError"),
    ],
)
def test_server_errors_and_timeouts_are_temporary(
    aws: StubbedAws, objects: S3LogObjects, answer: Answer, says: str
) -> None:
    aws.answer("HeadObject", answer)

    with pytest.raises(TemporarilyUnavailableError, match=says):
        objects.encryption(PLAIN)


def test_unexpected_error_is_raised(aws: StubbedAws, objects: S3LogObjects) -> None:
    aws.answer("HeadObject", AwsError("412", status=412))

    with pytest.raises(ClientError, match="412"):
        objects.encryption(PLAIN)


@pytest.fixture
def buckets(aws: StubbedAws) -> S3Buckets:
    return S3Buckets(aws.attach(boto3.client("s3")))


@pytest.mark.parametrize(
    ("configuration", "sends"),
    [
        ({}, False),
        ({"QueueConfigurations": []}, False),
        ({"EventBridgeConfiguration": {}}, True),
    ],
)
def test_sends_events_follows_from_the_notification_configuration(
    aws: StubbedAws, buckets: S3Buckets, configuration: Answer, *, sends: bool
) -> None:
    aws.answer("GetBucketNotificationConfiguration", configuration)

    assert buckets.sends_events("example-logs") is sends
    assert aws.calls == [("GetBucketNotificationConfiguration", {"Bucket": "example-logs"})]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (AwsError("AccessDenied", status=403), "answered AccessDenied"),
        (NEVER_ANSWERED, "failed with ReadTimeoutError"),
    ],
)
def test_a_bucket_that_cannot_be_read_is_unresolved(
    aws: StubbedAws, buckets: S3Buckets, answer: Answer, code: str
) -> None:
    aws.answer("GetBucketNotificationConfiguration", answer)

    assert reason_of(buckets.sends_events("b-1")) == (
        f"s3:GetBucketNotificationConfiguration on b-1 {code}"
    )


def test_sends_events_of_a_missing_bucket_is_none(aws: StubbedAws, buckets: S3Buckets) -> None:
    aws.answer("GetBucketNotificationConfiguration", AwsError("NoSuchBucket", status=404))

    assert buckets.sends_events("b-1") is None


ANOTHER = "444455556666"
FORBIDDEN = AwsError("403", "Forbidden", status=403)
HERE: Answer = {"BucketRegion": REGION}
THERE: Answer = {"BucketRegion": OTHER_REGION}


def owners_asked(aws: StubbedAws) -> list[str | None]:
    assert {operation for operation, _ in aws.calls} == {"HeadBucket"}
    return [asked.get("ExpectedBucketOwner") for _, asked in aws.calls]


@pytest.mark.parametrize("answer", [HERE, THERE])
def test_bucket_of_this_account_is_confirmed_with_its_region_by_one_call(
    aws: StubbedAws, buckets: S3Buckets, answer: dict[str, str]
) -> None:
    aws.answer("HeadBucket", answer)

    ownership = buckets.ownership("example-logs", (ACCOUNT, ANOTHER))

    assert ownership == BucketOwnership(ACCOUNT, answer["BucketRegion"])
    assert aws.calls == [("HeadBucket", {"Bucket": "example-logs", "ExpectedBucketOwner": ACCOUNT})]


def test_bucket_of_another_expected_account_is_confirmed(
    aws: StubbedAws, buckets: S3Buckets
) -> None:
    aws.answer("HeadBucket", FORBIDDEN, HERE)

    assert buckets.ownership("b", (ACCOUNT, ANOTHER)) == BucketOwnership(ANOTHER, REGION)
    assert owners_asked(aws) == [ACCOUNT, ANOTHER]


def test_bucket_of_an_unknown_account_is_recognized_by_denied_expected_owners(
    aws: StubbedAws, buckets: S3Buckets
) -> None:
    aws.answer("HeadBucket", FORBIDDEN, FORBIDDEN, THERE, FORBIDDEN)

    assert buckets.ownership("b", (ACCOUNT, ANOTHER)) == BucketOwnership(None, OTHER_REGION)
    assert owners_asked(aws) == [ACCOUNT, ANOTHER, None, ACCOUNT, ANOTHER]


def test_permission_granted_meanwhile_confirms_the_expected_owner(
    aws: StubbedAws, buckets: S3Buckets
) -> None:
    aws.answer("HeadBucket", FORBIDDEN, HERE)

    assert buckets.ownership("b", (ACCOUNT,)) == BucketOwnership(ACCOUNT, REGION)
    assert owners_asked(aws) == [ACCOUNT, None, ACCOUNT]


def test_owner_of_a_denied_bucket_is_unresolved(aws: StubbedAws, buckets: S3Buckets) -> None:
    """The bucket is another account's, or a policy denies it: both are answered with 403."""
    aws.answer("HeadBucket", FORBIDDEN)

    assert reason_of(buckets.ownership("b-1", (ACCOUNT,))) == (
        "s3:HeadBucket on b-1 answered 403 for each expected owner: it belongs to another "
        "account, or a policy denies s3:ListBucket"
    )
    assert owners_asked(aws) == [ACCOUNT, None]


@pytest.mark.parametrize("before", [(), (FORBIDDEN,), (FORBIDDEN, HERE)])
@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        (AwsError("404", status=404), Unresolved("s3:HeadBucket on b-1 answered 404")),
        (
            AwsError("503", status=503),
            Unresolved("s3:HeadBucket on b-1 answered 503", transient=True),
        ),
        (
            NEVER_ANSWERED,
            Unresolved("s3:HeadBucket on b-1 failed with ReadTimeoutError", transient=True),
        ),
    ],
)
def test_owner_is_unresolved_when_head_bucket_fails_otherwise(
    aws: StubbedAws,
    buckets: S3Buckets,
    before: tuple[Answer, ...],
    answer: Answer,
    fact: Unresolved,
) -> None:
    aws.answer("HeadBucket", *before, answer)

    assert buckets.ownership("b-1", (ACCOUNT,)) == fact


def test_object_is_read_with_the_expected_bucket_owner(
    aws: StubbedAws, objects: S3LogObjects
) -> None:
    aws.answer("HeadObject", BAD_REQUEST)
    aws.answer("GetObject", AwsError("AccessDenied", status=403))

    objects.encryption(VERSIONED, ACCOUNT)

    assert [(call, asked["ExpectedBucketOwner"]) for call, asked in aws.calls] == [
        ("HeadObject", ACCOUNT),
        ("GetObject", ACCOUNT),
    ]


@pytest.fixture
def audited(aws: StubbedAws) -> AuditedLogObjects:
    return AuditedLogObjects(aws.attach(boto3.client("s3")))


def test_audited_object_is_read_like_any_other(aws: StubbedAws, audited: AuditedLogObjects) -> None:
    aws.answer("HeadObject", {"ServerSideEncryption": "AES256"})
    assert audited.encryption(PLAIN) == Encryption("AES256")

    aws.answer("HeadObject", AwsError("404", status=404))
    with pytest.raises(ObjectNotFoundError):
        audited.encryption(PLAIN)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AwsError("500", status=500), "answered 500"),
        (NEVER_ANSWERED, "failed with ReadTimeoutError"),
    ],
)
def test_audited_object_with_a_server_error_or_timeout_is_unresolved(
    aws: StubbedAws, audited: AuditedLogObjects, error: Answer, kind: str
) -> None:
    aws.answer("HeadObject", error)

    assert reason_of(audited.encryption(PLAIN)) == (f"s3:HeadObject on {PLAIN} {kind}")


OLD, NEW = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(("since", "keys"), [(None, ["a/1", "a/2"]), (NEW, ["a/2"])])
def test_objects_are_listed_from_every_page_without_folder_markers(
    aws: StubbedAws, audited: AuditedLogObjects, since: datetime | None, keys: list[str]
) -> None:
    aws.answer(
        "ListObjectsV2",
        {
            "Contents": [{"Key": "a/1", "LastModified": OLD}],
            "IsTruncated": True,
            "NextContinuationToken": "more",
        },
        {
            "Contents": [
                {"Key": key, "LastModified": NEW} for key in ("a/2", "a/b/", "a/b_$folder$")
            ]
        },
    )

    assert list(audited.below("b", "a/", since)) == [ObjectVersion("b", key) for key in keys]


def test_objects_are_listed_with_the_expected_bucket_owner(
    aws: StubbedAws, audited: AuditedLogObjects
) -> None:
    aws.answer("ListObjectsV2", {})

    assert list(audited.below("b", "a/", None, ACCOUNT)) == []
    assert aws.calls[0][1] == {"Bucket": "b", "Prefix": "a/", "ExpectedBucketOwner": ACCOUNT}


def test_empty_prefix_has_no_objects(aws: StubbedAws, audited: AuditedLogObjects) -> None:
    aws.answer("ListObjectsV2", {})

    assert list(audited.below("b", "a/", None)) == []


def test_unlistable_objects_raise_not_readable(aws: StubbedAws, audited: AuditedLogObjects) -> None:
    aws.answer("ListObjectsV2", AwsError("NoSuchBucket", status=404))

    with pytest.raises(NotReadableError, match=r"^s3:ListBucket on s3://b/a/ answered NoSuch"):
        list(audited.below("b", "a/", None))


HOME = Folder("j-1", "emr-logs", "emr/j-1/")


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client: Any = boto3.client("s3")
        where = {"LocationConstraint": REGION}
        client.create_bucket(Bucket="emr-logs", CreateBucketConfiguration=where)
        logs = ("emr/j-1/a.gz", "emr/j-1/node/b.gz", "emr/j-1/steps/c.gz")
        for key in (*logs, "emr/j-1/", "emr/j-1/node/", "emr/j-1/node_$folder$"):
            client.put_object(Bucket="emr-logs", Key=key, Body=b"x")
        client.put_object(Bucket="emr-logs", Key="emr/j-2/node/z.gz", Body=b"x")
        yield client


def keys(folders: S3LogFolders, folder: Folder, *, versions: bool = False) -> list[str]:
    return [each.version.key for each in folders.within(folder, versions=versions)]


def test_folders_directly_below_a_prefix_are_listed(s3: Any) -> None:  # noqa: ANN401
    folders = S3Folders(s3)

    assert folders.below("emr-logs", "emr/j-1/") == ("emr/j-1/node/", "emr/j-1/steps/")
    assert folders.below("emr-logs", "emr/") == ("emr/j-1/", "emr/j-2/")
    assert folders.below("emr-logs", "none/") == ()


@pytest.mark.parametrize("versions", [False, True])
@pytest.mark.parametrize(
    ("after", "until", "found"),
    [
        ("", "", ["a.gz", "node/b.gz", "steps/c.gz"]),
        ("emr/j-1/a.gz", "", ["node/b.gz", "steps/c.gz"]),
        ("", "emr/j-1/node/b.gz", ["a.gz", "node/b.gz"]),
        ("emr/j-1/a.gz", "emr/j-1/steps/", ["node/b.gz"]),
    ],
)
def test_range_of_a_folder_is_listed_in_order_without_folder_markers(
    s3: Any,  # noqa: ANN401
    versions: bool,  # noqa: FBT001
    after: str,
    until: str,
    found: list[str],
) -> None:
    folder = Folder("j-1", "emr-logs", "emr/j-1/", after, until)

    assert keys(S3LogFolders(s3), folder, versions=versions) == [
        f"emr/j-1/{name}" for name in found
    ]


def test_old_versions_are_listed_and_read_by_their_id(s3: Any) -> None:  # noqa: ANN401
    enabled = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket="emr-logs", VersioningConfiguration=enabled)
    new = s3.put_object(
        Bucket="emr-logs", Key="emr/j-1/a.gz", Body=b"y", ServerSideEncryption="aws:kms"
    )
    s3.delete_object(Bucket="emr-logs", Key="emr/j-1/node/b.gz")
    folders = S3LogFolders(s3)

    listed = list(folders.within(HOME, versions=True))

    versions = [(each.version.key, each.version.version_id) for each in listed]
    assert versions == [
        ("emr/j-1/a.gz", new["VersionId"]),
        ("emr/j-1/a.gz", "null"),
        ("emr/j-1/node/b.gz", "null"),
        ("emr/j-1/steps/c.gz", "null"),
    ]
    algorithms = [folders.encryption(each.version) for each in listed[:1]]
    assert [each.algorithm for each in algorithms if isinstance(each, Encryption)] == ["aws:kms"]
    assert keys(folders, HOME) == ["emr/j-1/a.gz", "emr/j-1/steps/c.gz"]


def test_every_page_of_versions_is_read(aws: StubbedAws) -> None:
    def page(key: str, **more: object) -> dict[str, Any]:
        version = {"Key": key, "VersionId": "v", "LastModified": "2026-03-14T15:09:26Z"}
        return {"Versions": [version], "IsTruncated": bool(more), **more}

    aws.answer(
        "ListObjectVersions",
        page("emr/j-1/a", NextKeyMarker="emr/j-1/a", NextVersionIdMarker="v"),
        page("emr/j-1/b", NextKeyMarker="emr/j-1/b"),
        page("emr/j-1/c"),
    )
    folders = S3LogFolders(aws.attach(boto3.client("s3")))

    assert keys(folders, HOME, versions=True) == ["emr/j-1/a", "emr/j-1/b", "emr/j-1/c"]
    assert [(call["KeyMarker"], call.get("VersionIdMarker")) for _, call in aws.calls] == [
        ("", None),
        ("emr/j-1/a", "v"),
        ("emr/j-1/b", None),
    ]


@pytest.mark.parametrize(
    ("versions", "call"), [(False, "s3:ListBucket"), (True, "s3:ListBucketVersions")]
)
def test_unlistable_folder_raises_with_the_call(
    aws: StubbedAws,
    versions: bool,  # noqa: FBT001
    call: str,
) -> None:
    for operation in ("ListObjectsV2", "ListObjectVersions"):
        aws.answer(operation, AwsError("AccessDenied"))
    client = aws.attach(boto3.client("s3"))
    folders = S3LogFolders(client)

    with pytest.raises(AccessDeniedError, match=f"^{call} on s3://emr-logs/emr/j-1/ answered"):
        keys(folders, HOME, versions=versions)
    with pytest.raises(AccessDeniedError, match="s3:ListBucket on"):
        S3Folders(client).below("emr-logs", "emr/j-1/")
    for operation in ("ListObjectsV2", "ListObjectVersions"):
        aws.answer(operation, AwsError("NoSuchBucket", status=404))
    with pytest.raises(NotReadableError, match=f"^{call} on .* answered NoSuchBucket") as raised:
        keys(folders, HOME, versions=versions)
    assert not isinstance(raised.value, AccessDeniedError)
    with pytest.raises(NotReadableError, match="the log bucket of j-1 is unknown"):
        keys(folders, Folder("j-1"))


def test_unreadable_version_is_unresolved(aws: StubbedAws) -> None:
    aws.answer("HeadObject", AwsError("500", status=500))
    folders = S3LogFolders(aws.attach(boto3.client("s3")))

    for version in (ObjectVersion("emr-logs", "a", "v"), ObjectVersion("emr-logs", "a")):
        assert isinstance(folders.encryption(version), Unresolved)


@pytest.mark.parametrize(
    ("versions", "call", "page"),
    [
        (False, "ListObjectsV2", {}),
        (True, "ListObjectVersions", {"IsTruncated": False}),
    ],
)
def test_folder_is_listed_with_the_expected_bucket_owner(
    aws: StubbedAws,
    call: str,
    page: dict[str, Any],
    *,
    versions: bool,
) -> None:
    aws.answer(call, page)
    folders = S3LogFolders(aws.attach(boto3.client("s3")))

    assert list(folders.within(HOME, versions=versions, owner=ACCOUNT)) == []
    assert [asked["ExpectedBucketOwner"] for _, asked in aws.calls] == [ACCOUNT]


def test_object_is_reencrypted_with_its_version_and_expected_owner(
    aws: StubbedAws, objects: S3LogObjects
) -> None:
    aws.answer("UpdateObjectEncryption", {})

    objects.reencrypt(VERSIONED, KEY.arn, ACCOUNT, bucket_key=True)

    assert aws.calls == [
        (
            "UpdateObjectEncryption",
            {
                "Bucket": "example-logs",
                "Key": "emr/j-1A/stderr.gz",
                "VersionId": "v1",
                "ExpectedBucketOwner": ACCOUNT,
                "ObjectEncryption": {"SSEKMS": {"KMSKeyArn": KEY.arn, "BucketKeyEnabled": True}},
            },
        )
    ]


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (AwsError("NoSuchKey", status=404), ObjectNotFoundError, "stderr.gz"),
        (AwsError("NoSuchVersion", status=404), ObjectNotFoundError, "versionId=v1"),
        (AwsError("SlowDown", status=503), TemporarilyUnavailableError, "answered SlowDown"),
        (NEVER_ANSWERED, TemporarilyUnavailableError, "failed with ReadTimeoutError"),
        (AwsError("AccessDenied", status=403), ReencryptionRefusedError, "Object Lock"),
        (AwsError("KMS.DisabledException", status=400), ReencryptionRefusedError, "enable it"),
        (AwsError("InvalidRequest", status=400), ReencryptionRefusedError, "InvalidRequest"),
    ],
)
def test_refused_and_temporary_errors_of_a_reencryption_are_distinguished(
    aws: StubbedAws,
    objects: S3LogObjects,
    answer: Answer,
    error: type[Exception],
    says: str,
) -> None:
    aws.answer("UpdateObjectEncryption", answer)

    with pytest.raises(error, match=says):
        objects.reencrypt(VERSIONED, KEY.arn, ACCOUNT, bucket_key=False)


def test_head_object_yields_the_version_and_the_bucket_key(
    aws: StubbedAws, objects: S3LogObjects
) -> None:
    aws.answer("HeadObject", {"VersionId": "v2", "BucketKeyEnabled": True})

    read = objects.encryption(PLAIN)

    assert isinstance(read, Encryption)
    assert (read.version_id, read.bucket_key) == ("v2", True)
