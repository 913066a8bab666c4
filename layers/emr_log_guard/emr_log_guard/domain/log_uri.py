"""Where a cluster's logs lie: log URIs and the keys of log objects."""

import re
from dataclasses import dataclass
from typing import Self

_URI = re.compile(r"s3[na]?://(?P<bucket>[^/]+)(?:/(?P<prefix>.*))?", re.IGNORECASE | re.DOTALL)
_STEP_FOLDER = re.compile(r"steps/(s-[A-Z0-9]+)/", re.ASCII)
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

    def holds(self, cluster_id: str, bucket: str, key: str) -> bool:
        """Say whether an object lies in this location's folder of that cluster."""
        return bucket == self.bucket and key.startswith(f"{self.prefix}{cluster_id}/")

    def path(self, cluster_id: str, key: str) -> str:
        """Say where an object that this location holds lies in the folder of that cluster."""
        return key.removeprefix(f"{self.prefix}{cluster_id}/")


def step_id_in(path: str) -> str | None:
    """Name the step whose folder a path in a cluster's folder lies in."""
    match = _STEP_FOLDER.match(path)
    return match[1] if match else None


def cluster_ids_in(key: str) -> tuple[str, ...]:
    """Name the clusters whose folder an object's key may lie in, the outermost folder first."""
    return tuple(dict.fromkeys(_CLUSTER_FOLDER.findall(key)))
