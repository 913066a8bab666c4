"""Amazon S3: heads of log objects, buckets' settings and owners, and folders listed and read."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict

from botocore.exceptions import ClientError

from emr_log_guard.adapters.errors import AWS_ERRORS, code_of, unresolved
from emr_log_guard.domain.clusters import BucketOwnership
from emr_log_guard.domain.log_objects import SSE_C, Encryption, ObjectVersion
from emr_log_guard.domain.log_uri import is_folder_marker
from emr_log_guard.domain.rescan import Folder
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import AccessDeniedError, NotReadableError, ObjectNotFoundError
from emr_log_guard.usecases.rescan.ports import ListedObject

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError
    from types_boto3_s3 import S3Client


class BucketOwner(TypedDict, total=False):
    """The part of a request that names the account which has to own the bucket."""

    ExpectedBucketOwner: str


class _Asked(BucketOwner):
    Bucket: str
    Key: str
    VersionId: NotRequired[str]


def owned_by(owner: str | None) -> BucketOwner:
    """Have S3 refuse a request if somebody else owns the bucket; None expects nobody.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    return {} if owner is None else {"ExpectedBucketOwner": owner}


def _asked(version: ObjectVersion, owner: str | None) -> _Asked:
    asked: _Asked = {"Bucket": version.bucket, "Key": version.key}
    if owner is not None:
        asked["ExpectedBucketOwner"] = owner
    if version.version_id is not None:
        asked["VersionId"] = version.version_id
    return asked


class S3LogObjects:
    """Objects that the guard may read the head of.

    Errors that a retry may cure fly: the record is delivered again, then dead-lettered.
    """

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Read an object's encryption: one HeadObject, and one GetObject if S3 answers 400.

        Args:
            version: The object.
            owner: The account that has to own its bucket; None where several may.

        Raises:
            ObjectNotFoundError: The object, or this version of it, is gone.

        """
        try:
            head = self._client.head_object(**_asked(version, owner))
        except ClientError as error:
            return self._without_a_head(version, owner, error)
        return Encryption(
            head.get("ServerSideEncryption"), head.get("SSEKMSKeyId"), head.get("LastModified")
        )

    def _without_a_head(
        self, version: ObjectVersion, owner: str | None, error: ClientError
    ) -> Encryption | Unresolved:
        """Read the failure of a HeadObject: it has no body, so its code is the status alone.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        match code_of(error):
            case "404":
                raise ObjectNotFoundError(str(version)) from error
            case "403":
                return unresolved("s3:HeadObject", str(version), error)
            case "400":
                return self._why_bad_request(version, owner)
            case _:
                raise error

    def _why_bad_request(
        self, version: ObjectVersion, owner: str | None
    ) -> Encryption | Unresolved:
        """Ask GetObject, whose errors have a code, whether it is SSE-C that made a head fail.

        An expired token is a 400 too; an object must not be called badly encrypted for that.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
        """
        try:
            got = self._client.get_object(Range="bytes=0-0", **_asked(version, owner))
        except ClientError as error:
            match code_of(error):
                case "InvalidRequest":
                    return Encryption(SSE_C)
                case "NoSuchKey" | "NoSuchVersion":
                    raise ObjectNotFoundError(str(version)) from error
                case _:
                    return unresolved("s3:GetObject", str(version), error)
        got["Body"].close()
        return Unresolved(f"s3:HeadObject on {version} answered 400")


_FORBIDDEN = "403"
_WHY_FORBIDDEN = (
    "s3:HeadBucket on {} answered 403 whoever was expected to own it: it belongs to another "
    "account, or a policy denies s3:ListBucket"
)


class S3Buckets:
    """Buckets of any account, as far as they can be read."""

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client

    def ownership(self, bucket: str, accounts: tuple[str, ...]) -> BucketOwnership | Unresolved:
        """Ask which of some accounts owns a bucket: one HeadBucket an account, until one does.

        S3 answers 403 to an account that does not own the bucket, and 403 to whoever may not list
        the bucket, alike and without a body. So where no account is confirmed, it is asked once
        more without one: only where that is answered with 200 was it the account that was refused.
        Then the accounts are asked again, for a permission that was granted meanwhile must not
        read as another owner.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
        """
        confirmed = self._confirmed(bucket, accounts)
        if confirmed:
            return confirmed
        anyone = self._head(bucket)
        if anyone is None:
            return Unresolved(_WHY_FORBIDDEN.format(bucket))
        if isinstance(anyone, Unresolved):
            return anyone
        return self._confirmed(bucket, accounts) or anyone

    def _confirmed(
        self, bucket: str, accounts: tuple[str, ...]
    ) -> BucketOwnership | Unresolved | None:
        """Find the owner, or what else S3 says; None when it refuses each account."""
        for account in accounts:
            answer = self._head(bucket, account)
            if answer is not None:
                return answer
        return None

    def _head(self, bucket: str, account: str | None = None) -> BucketOwnership | Unresolved | None:
        """Ask with an expected owner, who is the owner if S3 agrees, or without; None for a 403."""
        try:
            head = self._client.head_bucket(Bucket=bucket, **owned_by(account))
        except AWS_ERRORS as error:
            if code_of(error) == _FORBIDDEN:
                return None
            return unresolved("s3:HeadBucket", bucket, error)
        return BucketOwnership(account, head.get("BucketRegion"))

    def sends_events(self, bucket: str) -> bool | Unresolved:
        """Ask whether a bucket sends its events to EventBridge.

        One GetBucketNotificationConfiguration.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
        """
        try:
            answer = self._client.get_bucket_notification_configuration(Bucket=bucket)
        except AWS_ERRORS as error:
            return unresolved("s3:GetBucketNotificationConfiguration", bucket, error)
        return "EventBridgeConfiguration" in answer


class AuditedLogObjects:
    """Log objects as an audit reads them: listed, and what cannot be read is told."""

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client
        self._objects = S3LogObjects(client)

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Read the encryption of an object, or of one version of it.

        Raises:
            ObjectNotFoundError: It is gone.

        """
        try:
            return self._objects.encryption(version, owner)
        except AWS_ERRORS as error:
            return unresolved("s3:HeadObject", str(version), error)

    def below(
        self, bucket: str, prefix: str, since: datetime | None, owner: str | None = None
    ) -> Iterator[ObjectVersion]:
        """List objects, those of before a moment left out: one ListObjectsV2 per 1,000.

        Only the newest version of each, and no folder markers, which hold nothing.

        Raises:
            NotReadableError: A page cannot be read.

        """
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, **owned_by(owner)
        )
        try:
            for page in pages:
                for listed in page.get("Contents", ()):
                    if since is not None and listed["LastModified"] < since:
                        continue
                    if not is_folder_marker(listed["Key"]):
                        yield ObjectVersion(bucket, listed["Key"])
        except AWS_ERRORS as error:
            problem = unresolved("s3:ListBucket", f"s3://{bucket}/{prefix}", error)
            raise NotReadableError(problem.reason) from error


_DENIED = "AccessDenied"
"""Nobody allows to list the bucket, or an account owns it that is not expected to.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""
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
            AccessDeniedError: A page may not be read.
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
    reason = unresolved(call, f"s3://{bucket}/{prefix}", error).reason
    return (AccessDeniedError if code_of(error) == _DENIED else NotReadableError)(reason)
