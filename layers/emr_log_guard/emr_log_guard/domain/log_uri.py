"""Where a cluster's logs are: log URIs and the keys of log objects."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

_URI = re.compile(r"s3[na]?://(?P<bucket>[^/]+)(?:/(?P<prefix>.*))?", re.IGNORECASE | re.DOTALL)
_STEP_FOLDER = re.compile(r"steps/(s-[A-Z0-9]+)/", re.ASCII)
_ACCESS_POINTS = ("-s3alias", "--ol-s3", ".mrap")
"""How the aliases of access points end, Object Lambda's and multi-Region ones among them.

S3 reserves these endings: no bucket's name has one.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""
_FOLDER_MARKERS = ("/", "_$folder$")
_CLUSTER_FOLDER = re.compile(r"(?:^|/)(j-[A-Z0-9]{8,})(?=/)", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogLocation:
    """The folder below which EMR makes one folder a cluster.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
    """

    bucket: str
    prefix: str
    """Empty, or ends with a slash."""

    @classmethod
    def parse(cls, uri: str) -> Self | None:
        """Read `s3://`, `s3n://` or `s3a://`, with or without a prefix and a trailing slash.

        Return None when the URI is none of these.
        """
        match = _URI.fullmatch(uri)
        if match is None:
            return None
        prefix = match["prefix"] or ""
        return cls(match["bucket"], prefix if not prefix or prefix.endswith("/") else f"{prefix}/")

    @property
    def by_access_point(self) -> bool:
        """Whether the alias of an access point stands in the bucket's place.

        S3 takes one wherever it takes a bucket's name, but its events name the bucket. The bucket
        cannot be looked up by alias: GetAccessPoint takes a name, ListAccessPoints has to
        list an account's up to 10,000, and neither works for those of another account.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-alias.html
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-restrictions-limitations-naming-rules.html
        """
        return is_access_point(self.bucket)

    def holds(self, cluster_id: str, bucket: str, key: str) -> bool:
        """Whether an object is in this location's folder of that cluster."""
        return bucket == self.bucket and key.startswith(f"{self.prefix}{cluster_id}/")

    def path(self, cluster_id: str, key: str) -> str:
        """Return the path of an object of this location in the folder of that cluster."""
        return key.removeprefix(f"{self.prefix}{cluster_id}/")


def is_access_point(bucket: str) -> bool:
    """Whether a bucket name is the alias of an access point."""
    return bucket.endswith(_ACCESS_POINTS)


def why_bucket_is_unknown(uri: str) -> str | None:
    """Return why the bucket of a log URI is unknown; None when it is known."""
    location = LogLocation.parse(uri)
    if location is None:
        return f"the log URI {uri!r} cannot be parsed"
    if location.by_access_point:
        return f"the log URI {uri!r} names an access point, not its bucket"
    return None


def is_checked(bucket: str, checked_buckets: Collection[str]) -> bool:
    """Return whether the objects of a bucket are checked: an access point may lead to any.

    Args:
        bucket: The bucket's name, or an access point alias.
        checked_buckets: The only buckets whose objects are checked; empty: all.

    """
    return not checked_buckets or bucket in checked_buckets or is_access_point(bucket)


def step_id_in(path: str) -> str | None:
    """Return the id of the step whose folder contains a path of a cluster's folder."""
    match = _STEP_FOLDER.match(path)
    return match[1] if match else None


def cluster_ids_in(key: str) -> tuple[str, ...]:
    """Return the ids of the clusters whose folder may contain a key, the outermost first."""
    return tuple(dict.fromkeys(_CLUSTER_FOLDER.findall(key)))


def is_folder_marker(key: str) -> bool:
    """Whether an object is only a folder marker, not a log.

    The S3 console makes an empty object whose key ends with a slash, Hadoop one whose key ends with
    `_$folder$`. EMR names no log like that. The key alone decides: events need not carry a size.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-folders.html
    https://repost.aws/knowledge-center/emr-s3-empty-files
    """
    return key.endswith(_FOLDER_MARKERS)
