"""A re-scan: what is looked at, cut into shards, and what came of each.

Why so, with the arithmetic: docs/adr/0013-what-a-rescan-costs.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import ObjectVersion

OVERLAP = timedelta(hours=1)
"""How much earlier than the last re-scan one looks for new log objects.

A multipart upload is dated to its beginning, not to its end.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""
LATE_LOGS = timedelta(hours=1)
"""How long after it was first missed a cluster may still have logs uploaded."""
RUNS = 90
"""How many runs are remembered: a quarter of daily ones, some 30 KB."""


class Scope(StrEnum):
    """What a re-scan is about."""

    ALL = "all"
    CLUSTERS = "clusters"
    LOG_OBJECTS = "log_objects"

    @property
    def clusters(self) -> bool:
        """Whether clusters are judged."""
        return self is not Scope.LOG_OBJECTS

    @property
    def log_objects(self) -> bool:
        """Whether log objects are."""
        return self is not Scope.CLUSTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescan:
    """One run: what every function of it is told."""

    execution: str
    """The ARN of the state machine's execution."""
    started: datetime
    """UTC"""
    scope: Scope = Scope.ALL
    deep: bool = False
    """Whether nothing is taken for known: all is read again, old versions of objects included."""

    @property
    def name(self) -> str:
        """Name the run as Step Functions does."""
        return self.execution.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Folder:
    """A cluster's folder of log objects, or a range of its keys in S3's order."""

    cluster_id: str
    bucket: str | None = None
    """None where the planner did not know where the cluster logs to: the scan looks it up."""
    prefix: str = ""
    after: str = ""
    """Only keys behind this one; empty is from the first."""
    until: str = ""
    """Only keys up to this one, itself included; empty is to the last."""
    since: datetime | None = None
    """Only objects that are not older, UTC; None is all."""
    active: bool = True
    """Whether the cluster may still write logs."""
    home: bool = True
    """Whether it is where the cluster itself logs to, as far as is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of a re-scan that one invocation looks at."""

    id: str
    known: tuple[str, ...] = ()
    """Clusters that were judged before and have nothing open: only their keys are read."""
    clusters: tuple[str, ...] = ()
    """Clusters that are checked as if an event named them."""
    folder: Folder | None = None

    @property
    def title(self) -> str:
        """Say in words what it is about."""
        if self.folder is None:
            count = len(self.known) + len(self.clusters)
            return f"{count} {'cluster' if count == 1 else 'clusters'}"
        place = f"s3://{self.folder.bucket}/{self.folder.prefix}" if self.folder.bucket else ""
        return f"log objects of {self.folder.cluster_id} {place}".rstrip()


@dataclass(frozen=True, slots=True)
class BadObjects:
    """What a rule says of a shard's log objects: a finding, and some of them by name."""

    finding: Finding
    objects: tuple[ObjectVersion, ...] = ()
    newest: datetime | None = None
    """When the newest of all was written, UTC; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardDone:
    """What came of a shard, or of a part of it."""

    shard: str
    clusters: Mapping[str, int] = field(default_factory=dict)
    """How many clusters, by compliance."""
    described: int = 0
    """How many of them were read anew."""
    attention: tuple[str, ...] = ()
    """The clusters with something that is wrong, or in doubt."""
    folder: Folder | None = None
    """What was looked at, its bucket and prefix known."""
    listed: int = 0
    """How many log objects were listed, those that were checked before included."""
    log_objects: Mapping[str, int] = field(default_factory=dict)
    """How many log objects were checked, by compliance."""
    bad: tuple[BadObjects, ...] = ()
    denied: str = ""
    """Which call S3 denied, so that its log objects were not listed to the end; empty when none."""
    next_after: str = ""
    """Where the rest of the shard begins; empty when nothing is left of it."""


@dataclass(frozen=True, slots=True)
class ShardFailed:
    """A shard that could not be looked at, and what it failed with."""

    shard: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class ShardDenied:
    """A shard whose log objects S3 denied to list, or some of them, and which call it denied."""

    shard: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class FolderCheckpoint:
    """A cluster's folder that the next re-scan looks for new objects in."""

    bucket: str
    prefix: str
    since: datetime
    """When the re-scan began that checked all there was, UTC."""
    missed: datetime | None = None
    """Since when the cluster is not among the active ones, UTC."""

    def over(self, now: datetime) -> bool:
        """Say whether the cluster ended so long ago that nothing is uploaded any more."""
        return self.missed is not None and now - self.missed >= LATE_LOGS


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """What is remembered of a run: figures that tell whether it gets better."""

    name: str
    started: datetime
    """UTC"""
    scope: Scope
    deep: bool
    compliance: Compliance
    broken: Mapping[str, int] = field(default_factory=dict)
    """How many findings stood at its end that were proven, by severity; exempt ones are not."""
    undetermined: int = 0
    """How many stood in doubt."""
    exempt: int = 0
    new: int = 0
    resolved: int = 0
    failed_shards: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RescanCheckpoint:
    """What one re-scan leaves to the next."""

    execution: str | None = None
    """The run that left it; None before the first."""
    started: datetime | None = None
    """When the last one that looked for log objects began, UTC."""
    open: tuple[str, ...] = ()
    """The ids of the findings that were open."""
    folders: Mapping[str, FolderCheckpoint] = field(default_factory=dict)
    """By cluster id."""
    runs: tuple[PastRun, ...] = ()
    """The last RUNS runs, the oldest first."""
    answer: Mapping[str, str | int] = field(default_factory=dict)
    """The run that left it in figures, and where its report is."""


def cut(folder: Folder, below: tuple[str, ...]) -> tuple[Folder, ...]:
    """Cut a folder into ranges of keys, one a sub-folder, with no key between two of them.

    Args:
        folder: The cluster's folder.
        below: The prefixes of its sub-folders, in any order.

    """
    borders = sorted(below)[1:]
    starts, ends = ("", *borders), (*borders, "")
    return tuple(
        replace(folder, after=after, until=until) for after, until in zip(starts, ends, strict=True)
    )
