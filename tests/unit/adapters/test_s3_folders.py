from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from emr_log_guard.adapters.s3_folders import S3Folders, S3LogFolders
from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
from emr_log_guard.domain.rescan import Folder
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import NotReadableError
from tests.unit.builders import ACCOUNT, REGION
from tests.unit.stubbed_aws import AwsError, StubbedAws

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


def test_the_folders_right_below_a_prefix_are_named(s3: Any) -> None:  # noqa: ANN401
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
def test_a_range_is_listed_in_s3s_order_without_folder_markers(
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
def test_what_cannot_be_listed_is_said_with_the_call(
    aws: StubbedAws,
    versions: bool,  # noqa: FBT001
    call: str,
) -> None:
    for operation in ("ListObjectsV2", "ListObjectVersions"):
        aws.answer(operation, AwsError("AccessDenied"))
    client = aws.attach(boto3.client("s3"))
    folders = S3LogFolders(client)

    with pytest.raises(NotReadableError, match=f"^{call} on s3://emr-logs/emr/j-1/ answered"):
        keys(folders, HOME, versions=versions)
    with pytest.raises(NotReadableError, match="s3:ListBucket on"):
        S3Folders(client).below("emr-logs", "emr/j-1/")
    with pytest.raises(NotReadableError, match="nobody knows where j-1 logs to"):
        keys(folders, Folder("j-1"))


def test_a_version_that_cannot_be_read_is_unresolved(aws: StubbedAws) -> None:
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
def test_a_folder_is_listed_in_a_bucket_of_its_expected_owner(
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
