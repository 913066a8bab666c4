"""Amazon S3: folders of log objects, listed in S3's own order and read."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypedDict

from emr_log_guard.adapters.errors import AWS_ERRORS, unresolved
from emr_log_guard.adapters.s3 import AuditedLogObjects, owned_by
from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
from emr_log_guard.domain.log_uri import is_folder_marker
from emr_log_guard.domain.rescan import Folder
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import NotReadableError
from emr_log_guard.usecases.rescan.ports import ListedObject

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from types_boto3_s3 import S3Client

_LIST = "s3:ListBucket"
_LIST_VERSIONS = "s3:ListBucketVersions"


class _Behind(TypedDict, total=False):
    VersionIdMarker: str


class S3Folders:
    """Buckets whose folders the guard may list."""

    def __init__(self, client: "S3Client") -> None:
        """List through this client."""
        self._client = client

    def below(self, bucket: str, prefix: str) -> tuple[str, ...]:
        """Name the folders right below a prefix: one ListObjectsV2 per 1,000 of them.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html

        Raises:
            NotReadableError: A page cannot be read.

        """
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, Delimiter="/"
        )
        try:
            return tuple(
                found["Prefix"] for page in pages for found in page.get("CommonPrefixes", ())
            )
        except AWS_ERRORS as error:
            raise _unreadable(_LIST, bucket, prefix, error) from error


class S3LogFolders:
    """Buckets whose log objects the guard may list and read."""

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client
        self._objects = AuditedLogObjects(client)

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Read the encryption of an object, or of one version of it.

        Raises:
            ObjectNotFoundError: It is gone.

        """
        return self._objects.encryption(version, owner)

    def within(
        self, folder: Folder, *, versions: bool, owner: str | None = None
    ) -> Iterator[ListedObject]:
        """List the objects in a folder's range; folder markers hold nothing and are left out.

        One ListObjectsV2 per 1,000, or one ListObjectVersions per 1,000 versions.

        Raises:
            NotReadableError: A page cannot be read, or nobody knows which bucket it is.

        """
        if folder.bucket is None:
            message = f"nobody knows where {folder.cluster_id} logs to"
            raise NotReadableError(message)
        call = _LIST_VERSIONS if versions else _LIST
        listing = self._all_versions(folder, owner) if versions else self._newest(folder, owner)
        try:
            for listed in listing:
                if folder.until and listed.version.key > folder.until:
                    return
                if not is_folder_marker(listed.version.key):
                    yield listed
        except AWS_ERRORS as error:
            raise _unreadable(call, folder.bucket, folder.prefix, error) from error

    def _newest(self, folder: Folder, owner: str | None) -> Iterator[ListedObject]:
        bucket = str(folder.bucket)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=folder.prefix, StartAfter=folder.after, **owned_by(owner)
        )
        for page in pages:
            for found in page.get("Contents", ()):
                yield ListedObject(ObjectVersion(bucket, found["Key"]), found["LastModified"])

    def _all_versions(self, folder: Folder, owner: str | None) -> Iterator[ListedObject]:
        """List versions; delete markers have no encryption.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
        """
        bucket = str(folder.bucket)
        # Not the paginator, which takes no key to begin behind.
        key, version_id = folder.after, ""
        while True:
            behind: _Behind = {"VersionIdMarker": version_id} if version_id else {}
            page = self._client.list_object_versions(
                Bucket=bucket, Prefix=folder.prefix, KeyMarker=key, **behind, **owned_by(owner)
            )
            for found in page.get("Versions", ()):
                # Of a bucket without versions, and of what is older than these, the id is `null`.
                version = ObjectVersion(bucket, found["Key"], found["VersionId"])
                yield ListedObject(version, found["LastModified"])
            if not page["IsTruncated"]:
                return
            key, version_id = page["NextKeyMarker"], page.get("NextVersionIdMarker", "")


def _unreadable(
    call: str, bucket: str, prefix: str, error: "BotoCoreError | ClientError"
) -> NotReadableError:
    return NotReadableError(unresolved(call, f"s3://{bucket}/{prefix}", error).reason)
