"""Amazon S3: reading how log objects are encrypted, and whether their buckets tell of them."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from emr_log_guard.adapters.aws_errors import AWS_ERRORS, code_of, unresolved
from emr_log_guard.domain.log_objects import SSE_C, Encryption, ObjectVersion
from emr_log_guard.domain.log_uri import is_folder_marker
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import NotReadableError, ObjectNotFoundError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from emr_log_guard.adapters.quick_heads import QuickHeads


class S3LogObjects:
    """Objects that the guard may read the head of.

    Errors that a retry may cure fly: the record is delivered again, then dead-lettered.
    """

    def __init__(self, client: "S3Client") -> None:
        """Read through this client."""
        self._client = client

    def encryption(self, version: ObjectVersion) -> Encryption | Unresolved:
        """Read an object's encryption: one HeadObject, and one GetObject if S3 answers 400.

        Raises:
            ObjectNotFoundError: The object, or this version of it, is gone.

        """
        try:
            if version.version_id is None:
                head = self._client.head_object(Bucket=version.bucket, Key=version.key)
            else:
                head = self._client.head_object(
                    Bucket=version.bucket, Key=version.key, VersionId=version.version_id
                )
        except ClientError as error:
            return self._without_a_head(version, error)
        return Encryption(head.get("ServerSideEncryption"), head.get("SSEKMSKeyId"))

    def _without_a_head(
        self, version: ObjectVersion, error: ClientError
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
                return self._why_bad_request(version)
            case _:
                raise error

    def _why_bad_request(self, version: ObjectVersion) -> Encryption | Unresolved:
        """Ask GetObject, whose errors have a code, whether it is SSE-C that made a head fail.

        An expired token is a 400 too; an object must not be called badly encrypted for that.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
        """
        try:
            if version.version_id is None:
                got = self._client.get_object(
                    Bucket=version.bucket, Key=version.key, Range="bytes=0-0"
                )
            else:
                got = self._client.get_object(
                    Bucket=version.bucket,
                    Key=version.key,
                    Range="bytes=0-0",
                    VersionId=version.version_id,
                )
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

    def __init__(self, client: "S3Client", quick: "QuickHeads") -> None:
        """Read through this client, and quickly where one head of a bucket showed the way."""
        self._client = client
        self._objects = S3LogObjects(client)
        self._quick = quick

    def encryption(self, version: ObjectVersion) -> Encryption | Unresolved:
        """Read an object's encryption, as S3LogObjects does; an audit looks at no older versions.

        Raises:
            ObjectNotFoundError: The object is gone.

        """
        found = self._quick.encryption(version.bucket, version.key)
        if found is not None:
            return found
        try:
            read = self._objects.encryption(version)
        except AWS_ERRORS as error:
            return unresolved("s3:HeadObject", str(version), error)
        if isinstance(read, Encryption) and read.algorithm != SSE_C:
            self._quick.learn(version.bucket, version.key)
        return read

    def below(self, bucket: str, prefix: str, since: datetime | None) -> Iterator[ObjectVersion]:
        """List objects, those of before a moment left out: one ListObjectsV2 per 1,000.

        Only the newest version of each, and no folder markers, which hold nothing.

        Raises:
            NotReadableError: A page cannot be read.

        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
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
