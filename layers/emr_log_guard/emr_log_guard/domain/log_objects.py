"""Log objects, as s3:HeadObject describes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.keys import ApprovedKey, KeyFact
from emr_log_guard.domain.unresolved import Unresolved

LARGE_BUCKET = 10_000_000
"""From this many objects in a bucket, S3 Metadata tables are cheaper."""
SSE_C = "SSE-C"
"""Encrypted with a key that the writer brought: S3 reports no algorithm for it."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """Which object, and which version of it where its bucket keeps versions."""

    bucket: str
    key: str
    version_id: str | None = None

    def __str__(self) -> str:
        """Write the object as an S3 URI, its version behind it."""
        version = f"?versionId={self.version_id}" if self.version_id else ""
        return f"s3://{self.bucket}/{self.key}{version}"


@dataclass(frozen=True, slots=True)
class Encryption:
    """An object's server-side encryption.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """

    algorithm: str | None
    """`AES256`, `aws:kms`, `aws:kms:dsse`, …, SSE_C, or None when the head names none."""
    key_identifier: str | None = None
    """The key's ARN or id, for the aws:kms algorithms."""
    written_at: datetime | None = field(default=None, compare=False)
    """When the object was written, UTC; None when it was not read."""
    version_id: str | None = field(default=None, compare=False)
    """Which version was read, where the bucket keeps versions."""
    bucket_key: bool = field(default=False, compare=False)
    """Whether it uses an S3 Bucket Key."""


@dataclass(frozen=True, slots=True)
class LogObjectFacts:
    """The facts for the log-object rules."""

    version: ObjectVersion
    cluster_id: str
    encryption: Encryption | Unresolved
    object_key: KeyFact | None
    """The key that the object is encrypted with; None when there is none."""
    cluster: Cluster | Unresolved
    """Whose log it is; Unresolved when EMR does not know the cluster here."""
    expected_key: KeyFact | None
    """The key that it should have: its step's, else its cluster's; None when these name none."""
    expected_of: str = "cluster"
    """Who names that key, such as `step s-2A`."""
    approved_keys: tuple[ApprovedKey, ...] = ()
    """Empty while the policy lists none."""
    former_keys: tuple[str, ...] = ()
    """The ARNs of the keys that the cluster was seen with, where an alias that names one of them
    may have been moved since; empty where nothing depends on it."""
    default_key: str | None = None
    """The ARN of the key that the policy has logs re-encrypted with; None when it names none."""


def large_bucket_advice(listed: Mapping[str, int]) -> tuple[str, ...]:
    """Name the buckets of which S3 Metadata tables give the same facts for less.

    Args:
        listed: How many log objects were listed, by bucket.

    """
    return tuple(
        f"{count:,} log objects were listed in {bucket}: at this size an S3 Metadata "
        f"inventory table of the bucket, queried with Athena for kms_key_arn, is cheaper "
        f"and faster than a deep re-scan. See docs/adr/0013-what-a-rescan-costs.md"
        for bucket, count in listed.items()
        if count >= LARGE_BUCKET
    )
