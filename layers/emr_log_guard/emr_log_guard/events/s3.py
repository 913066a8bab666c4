"""S3 Object Created, as EventBridge delivers it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from typing import Annotated, Literal

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
    """Read one queued event.

    Raises:
        InvalidEventError: The body is not an Object Created event of S3.

    """
    return decode(body, ObjectCreated)
