"""Amazon S3: log objects, settings and owners of buckets, and log folders."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict

from botocore.exceptions import ClientError

from emr_log_guard.adapters.errors import (
    AWS_ERRORS,
    answer_of,
    code_of,
    failure_of,
    is_transient,
    unresolved,
)
from emr_log_guard.domain.clusters import BucketOwnership
from emr_log_guard.domain.log_objects import SSE_C, Encryption, ObjectVersion
from emr_log_guard.domain.log_uri import is_folder_marker
from emr_log_guard.domain.rescan import Folder
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    AccessDeniedError,
    NotReadableError,
    ObjectNotFoundError,
    ReencryptionRefusedError,
    TemporarilyUnavailableError,
)
from emr_log_guard.usecases.rescan.ports import ListedObject

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError
    from types_boto3_s3 import S3Client


_NO_SUCH_BUCKET = "NoSuchBucket"
_FORBIDDEN = "403"
_WHY_FORBIDDEN = (
    "s3:HeadBucket on {} answered 403 for each expected owner: it belongs to another "
    "account, or a policy denies s3:ListBucket"
)
_DENIED = "AccessDenied"
"""Listing the bucket is not allowed, or it has an unexpected owner.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""
_UPDATE = "s3:UpdateObjectEncryption"
_REFUSALS = {
    _DENIED: ": S3 Object Lock protects it, or a policy of the bucket, of the key or of the "
    "organization denies it to the function reencrypt, which needs s3:UpdateObjectEncryption and "
    "s3:PutObject, and kms:Encrypt, Decrypt, GenerateDataKey and ReEncrypt* on both keys",
    "KMS.DisabledException": ": the new or the current key is disabled: enable it",
    "KMS.KMSInvalidStateException": ": the new or the current key is not enabled: see its state",
}
"""What to do, by S3's error code: its message names the object, and so differs for each."""
_LIST = "s3:ListBucket"
_LIST_VERSIONS = "s3:ListBucketVersions"


class BucketOwner(TypedDict, total=False):
    """The parameter of a request for the expected owner of the bucket."""

    ExpectedBucketOwner: str


class _ObjectRequest(BucketOwner):
    Bucket: str
    Key: str
    VersionId: NotRequired[str]


def owned_by(owner: str | None) -> BucketOwner:
    """Have S3 deny a request if another account owns the bucket; None: no expectation.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    return {} if owner is None else {"ExpectedBucketOwner": owner}


def _object_request(version: ObjectVersion, owner: str | None) -> _ObjectRequest:
    request: _ObjectRequest = {"Bucket": version.bucket, "Key": version.key}
    if owner is not None:
        request["ExpectedBucketOwner"] = owner
    if version.version_id is not None:
        request["VersionId"] = version.version_id
    return request


class S3LogObjects:
    """Log objects, read by their head."""

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Read an object's encryption: one HeadObject, and one GetObject if S3 answers 400.

        Args:
            version: The object.
            owner: The account that must own its bucket; None when there are several.

        Raises:
            ObjectNotFoundError: The object, or this version of it, does not exist.
            TemporarilyUnavailableError: AWS throttled or failed; to be retried.

        """
        try:
            head = self._client.head_object(**_object_request(version, owner))
        except AWS_ERRORS as error:
            return self._without_a_head(version, owner, error)
        return Encryption(
            head.get("ServerSideEncryption"),
            head.get("SSEKMSKeyId"),
            head.get("LastModified"),
            head.get("VersionId"),
            head.get("BucketKeyEnabled", False),
        )

    def reencrypt(
        self, version: ObjectVersion, key_arn: str, owner: str, *, bucket_key: bool
    ) -> None:
        """Re-encrypt one version of an object in place: one UpdateObjectEncryption.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html

        Args:
            version: The object.
            key_arn: The ARN of the new key.
            owner: The account that must own its bucket.
            bucket_key: Whether it uses an S3 Bucket Key.

        Raises:
            ObjectNotFoundError: The object, or this version of it, does not exist.
            ReencryptionRefusedError: S3 refuses it, and a retry will not help.
            TemporarilyUnavailableError: AWS throttled or failed; to be retried.

        """
        try:
            self._client.update_object_encryption(
                ObjectEncryption={"SSEKMS": {"KMSKeyArn": key_arn, "BucketKeyEnabled": bucket_key}},
                **_object_request(version, owner),
            )
        except AWS_ERRORS as error:
            code = code_of(error)
            if code in ("NoSuchKey", "NoSuchVersion"):
                raise ObjectNotFoundError(str(version)) from error
            message = f"{_UPDATE} {answer_of(error)}{_REFUSALS.get(code, '')}"
            refused = (
                TemporarilyUnavailableError if is_transient(error) else ReencryptionRefusedError
            )
            raise refused(message) from error

    def _without_a_head(
        self, version: ObjectVersion, owner: str | None, error: "BotoCoreError | ClientError"
    ) -> Encryption | Unresolved:
        """Handle the failure of a HeadObject: it has no body, so its code is the status.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        if is_transient(error):
            message = failure_of("s3:HeadObject", str(version), error)
            raise TemporarilyUnavailableError(message) from error
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
        """Check with GetObject, whose errors have a code, whether HeadObject failed due to SSE-C.

        An expired token is a 400, too, and must not become a violation.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
        """
        try:
            got = self._client.get_object(Range="bytes=0-0", **_object_request(version, owner))
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


class S3Buckets:
    """Buckets of any account, as far as they can be read."""

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client

    def ownership(self, bucket: str, accounts: tuple[str, ...]) -> BucketOwnership | Unresolved:
        """Ask which of some accounts owns a bucket: one HeadBucket an account, until one does.

        S3 answers 403 to an account that does not own the bucket, and 403 to a caller that may not
        list the bucket, alike and without a body. So if no account is confirmed, it is asked once
        more without one: only if that is answered with 200 was it the account that was refused.
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
        """Find the owner; None when S3 denies each account."""
        for account in accounts:
            answer = self._head(bucket, account)
            if answer is not None:
                return answer
        return None

    def _head(self, bucket: str, account: str | None = None) -> BucketOwnership | Unresolved | None:
        """Call HeadBucket, with an expected owner or without; None for a 403."""
        try:
            head = self._client.head_bucket(Bucket=bucket, **owned_by(account))
        except AWS_ERRORS as error:
            if code_of(error) == _FORBIDDEN:
                return None
            return unresolved("s3:HeadBucket", bucket, error)
        return BucketOwnership(account, head.get("BucketRegion"))

    def sends_events(self, bucket: str) -> bool | Unresolved | None:
        """Return whether a bucket sends events to EventBridge; None when it does not exist.

        One GetBucketNotificationConfiguration.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
        """
        try:
            answer = self._client.get_bucket_notification_configuration(Bucket=bucket)
        except AWS_ERRORS as error:
            if code_of(error) == _NO_SUCH_BUCKET:
                return None
            return unresolved("s3:GetBucketNotificationConfiguration", bucket, error)
        return "EventBridgeConfiguration" in answer


class AuditedLogObjects:
    """Log objects of an audit: listed, with unread ones as Unresolved."""

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client
        self._objects = S3LogObjects(client)

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Read the encryption of an object, or of one version of it.

        Raises:
            ObjectNotFoundError: It does not exist.

        """
        try:
            return self._objects.encryption(version, owner)
        except TemporarilyUnavailableError as error:
            return Unresolved(str(error), transient=True)
        except AWS_ERRORS as error:
            return unresolved("s3:HeadObject", str(version), error)

    def below(
        self, bucket: str, prefix: str, since: datetime | None, owner: str | None = None
    ) -> Iterator[ObjectVersion]:
        """List objects, older ones left out: one ListObjectsV2 per 1,000.

        Only the newest version of each, and no folder markers.

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


class _Behind(TypedDict, total=False):
    VersionIdMarker: str


class S3Folders:
    """Lists the folders of buckets."""

    def __init__(self, client: "S3Client") -> None:
        """List through this client."""
        self._client = client

    def below(self, bucket: str, prefix: str) -> tuple[str, ...]:
        """List the folders directly below a prefix: one ListObjectsV2 per 1,000 of them.

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
    """Lists and reads the log objects of buckets."""

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client
        self._objects = AuditedLogObjects(client)

    def encryption(
        self, version: ObjectVersion, owner: str | None = None
    ) -> Encryption | Unresolved:
        """Read the encryption of an object, or of one version of it.

        Raises:
            ObjectNotFoundError: It does not exist.

        """
        return self._objects.encryption(version, owner)

    def within(
        self, folder: Folder, *, versions: bool, owner: str | None = None
    ) -> Iterator[ListedObject]:
        """List the objects in a folder's range, without folder markers.

        One ListObjectsV2 per 1,000, or one ListObjectVersions per 1,000 versions.

        Raises:
            AccessDeniedError: A page may not be read.
            NotReadableError: A page cannot be read, or the bucket is unknown.

        """
        if folder.bucket is None:
            message = f"the log bucket of {folder.cluster_id} is unknown"
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
        # Not the paginator, which has no start key.
        key, version_id = folder.after, ""
        while True:
            behind: _Behind = {"VersionIdMarker": version_id} if version_id else {}
            page = self._client.list_object_versions(
                Bucket=bucket, Prefix=folder.prefix, KeyMarker=key, **behind, **owned_by(owner)
            )
            for found in page.get("Versions", ()):
                # In buckets without versioning, and for older objects, the id is `null`.
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
