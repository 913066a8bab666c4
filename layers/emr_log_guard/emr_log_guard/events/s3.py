"""Events about objects: S3's Object Created, and CloudTrail's UpdateObjectEncryption.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
"""

from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec

from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.events.parsing import Time, decode

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Bucket(msgspec.Struct, frozen=True):
    """The bucket that the object was created in."""

    name: Text


class Object(msgspec.Struct, frozen=True, rename={"version_id": "version-id"}):
    """The object. Its key is not URL-encoded in EventBridge's events."""

    key: Text
    version_id: str | None = None


class ObjectCreatedDetail(msgspec.Struct, frozen=True):
    """Which object was created."""

    bucket: Bucket
    object: Object


class ObjectCreated(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """An object was created."""

    source: Literal["aws.s3"]
    detail_type: Literal["Object Created"]
    account: Text
    region: Text
    detail: ObjectCreatedDetail
    time: Time | None = None

    @property
    def version(self) -> ObjectVersion:
        """The object, and the version of it that was created."""
        created = self.detail.object
        return ObjectVersion(self.detail.bucket.name, created.key, created.version_id or None)


def parse_object_created(body: str) -> ObjectCreated:
    """Parse one queued event.

    Raises:
        InvalidEventError: The body is not an Object Created event of S3.

    """
    return decode(body, ObjectCreated)


class UpdatedObject(msgspec.Struct, frozen=True, rename="camel"):
    """The re-encrypted object, as in the call."""

    bucket_name: Text
    """The bucket, or an access point to it."""
    key: Text
    version_id: str | None = None


class UpdatedResource(msgspec.Struct, frozen=True):
    """The object, its bucket, or the access point to it."""

    type: str = ""
    arn: str = msgspec.field(name="ARN", default="")


class EncryptionUpdatedDetail(msgspec.Struct, frozen=True, rename="camel"):
    """A successful call."""

    event_source: Literal["s3.amazonaws.com"]
    event_name: Literal["UpdateObjectEncryption"]
    request_parameters: UpdatedObject
    resources: tuple[UpdatedResource, ...] | None = None
    error_code: None = None


class EncryptionUpdated(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """An object was re-encrypted in place: S3 itself sends no event."""

    source: Annotated[str, msgspec.Meta(pattern=r"^aws\.")]
    detail_type: Literal["AWS API Call via CloudTrail"]
    account: Text
    region: Text
    detail: EncryptionUpdatedDetail
    time: Time | None = None

    @property
    def version(self) -> ObjectVersion:
        """The object, with its key as CloudTrail has it, and its version if given."""
        named = self.detail.request_parameters
        buckets = (
            resource.arn.rpartition(":")[2]
            for resource in self.detail.resources or ()
            if resource.type == "AWS::S3::Bucket"
        )
        bucket = next(filter(None, buckets), named.bucket_name)
        return ObjectVersion(bucket, named.key, named.version_id or None)

    @property
    def decoded(self) -> ObjectVersion | None:
        """The object if its key is URL-encoded; None when that makes no difference.

        CloudTrail does not document whether it encodes keys.
        """
        version = self.version
        key = unquote(version.key)
        return None if key == version.key else replace(version, key=key)


def parse_encryption_updated(body: str) -> EncryptionUpdated:
    """Parse one queued event.

    Raises:
        InvalidEventError: The body is not a successful UpdateObjectEncryption.

    """
    return decode(body, EncryptionUpdated)
