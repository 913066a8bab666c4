"""A re-scan: its scope, its shards, and their results.

The reasons, with the arithmetic: docs/adr/0013-what-a-rescan-costs.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.reencryption_plan import FolderPlan

OVERLAP = timedelta(hours=1)
"""How far before the last re-scan the search for new log objects starts.

A multipart upload is dated to its start, not to its end.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""
LATE_LOGS = timedelta(hours=1)
"""How long after it was first missed a cluster may still have logs uploaded."""
RUNS = 90
"""How many runs are kept: a quarter of daily ones, some 30 KB."""


class Scope(StrEnum):
    """What a re-scan covers."""

    ALL = "all"
    CLUSTERS = "clusters"
    LOG_OBJECTS = "log_objects"

    @property
    def clusters(self) -> bool:
        """Whether clusters are evaluated."""
        return self is not Scope.LOG_OBJECTS

    @property
    def log_objects(self) -> bool:
        """Whether log objects are checked."""
        return self is not Scope.CLUSTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescan:
    """One run: the input of each of its functions."""

    execution: str
    """The ARN of the state machine's execution."""
    started: datetime
    """UTC"""
    scope: Scope = Scope.ALL
    deep: bool = False
    """Whether everything is read again, old versions of objects included."""
    reencrypt: bool = False
    """Whether log objects are re-encrypted as the policy says."""
    dry_run: bool = False
    """Whether they are only counted."""
    cluster: str | None = None
    """The only cluster that is covered; None: all."""

    @property
    def name(self) -> str:
        """The name of the execution."""
        return self.execution.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Folder:
    """A cluster's folder of log objects, or a range of its keys in S3's order."""

    cluster_id: str
    bucket: str | None = None
    """None when the planner did not know where the cluster logs to: the scan looks it up."""
    prefix: str = ""
    after: str = ""
    """Only keys after this one; empty: from the first."""
    until: str = ""
    """Only keys up to this one, inclusive; empty: to the last."""
    since: datetime | None = None
    """Only objects that are not older, UTC; None: all."""
    active: bool = True
    """Whether the cluster may still write logs."""
    home: bool = True
    """Whether the cluster itself logs there, as far as is known."""


class ShardKind(StrEnum):
    """What shards are about, in the order in which they are scanned."""

    CLUSTERS = "clusters"
    LOG_OBJECTS = "log-objects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of a re-scan for one invocation."""

    id: str
    known: tuple[str, ...] = ()
    """Clusters that were evaluated before and have no open findings: only their keys are read."""
    clusters: tuple[str, ...] = ()
    """Clusters that are checked as if an event named them."""
    folder: Folder | None = None

    @property
    def title(self) -> str:
        """A short description."""
        if self.folder is None:
            count = len(self.known) + len(self.clusters)
            return f"{count} {'cluster' if count == 1 else 'clusters'}"
        place = f"s3://{self.folder.bucket}/{self.folder.prefix}" if self.folder.bucket else ""
        return f"log objects of {self.folder.cluster_id} {place}".rstrip()


@dataclass(frozen=True, slots=True)
class BadObjects:
    """A rule's result for a shard's log objects: a finding, and some of the objects."""

    finding: Finding
    objects: tuple[ObjectVersion, ...] = ()
    newest: datetime | None = None
    """When the newest of all was written, UTC; None when unknown."""
    reencrypted_before: int | None = None
    """How many objects of the cluster were re-encrypted when the shard was begun, for this rule;
    None where nothing is re-encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardDone:
    """The result of a shard, or of a part of it."""

    shard: str
    clusters: Mapping[str, int] = field(default_factory=dict)
    """How many clusters, by compliance."""
    described: int = 0
    """How many of them were re-read."""
    attention: tuple[str, ...] = ()
    """The clusters with violations or undetermined findings."""
    folder: Folder | None = None
    """The scanned folder, with its bucket and prefix."""
    listed: int = 0
    """How many log objects were listed, those that were checked before included."""
    log_objects: Mapping[str, int] = field(default_factory=dict)
    """How many log objects were checked, by compliance."""
    bad: tuple[BadObjects, ...] = ()
    to_reencrypt: int = 0
    """How many log objects are to be re-encrypted."""
    plan: FolderPlan | None = None
    """What a dry run counted; None in any other re-scan."""
    denied: str = ""
    """Which call S3 denied, so that its log objects were not listed to the end; empty when none."""
    next_after: str = ""
    """Where the rest of the shard starts; empty when nothing is left."""


@dataclass(frozen=True, slots=True)
class ShardFailed:
    """A shard that could not be scanned, and its error."""

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
    """A cluster's folder in which the next re-scan searches for new objects."""

    bucket: str
    prefix: str
    since: datetime
    """When the last re-scan that checked all of it started, UTC."""
    missed: datetime | None = None
    """Since when the cluster is not among the active ones, UTC."""

    def over(self, now: datetime) -> bool:
        """Whether the cluster terminated so long ago that no more logs are uploaded."""
        return self.missed is not None and now - self.missed >= LATE_LOGS


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """The figures of a run, for the trend."""

    name: str
    started: datetime
    """UTC"""
    scope: Scope
    deep: bool
    compliance: Compliance
    broken: Mapping[str, int] = field(default_factory=dict)
    """How many violations were open at its end, by severity, without exempt ones."""
    undetermined: int = 0
    """How many open findings were undetermined."""
    exempt: int = 0
    new: int = 0
    resolved: int = 0
    failed_shards: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RescanCheckpoint:
    """The state that one re-scan leaves for the next."""

    execution: str | None = None
    """The run that left it; None before the first."""
    started: datetime | None = None
    """When the last one that covered log objects started, UTC."""
    open: tuple[str, ...] = ()
    """The ids of the findings that were open."""
    folders: Mapping[str, FolderCheckpoint] = field(default_factory=dict)
    """By cluster id."""
    runs: tuple[PastRun, ...] = ()
    """The last RUNS runs, the oldest first."""
    answer: Mapping[str, str | int] = field(default_factory=dict)
    """The figures of the run that left it, and where its report is."""


def cut(folder: Folder, below: tuple[str, ...]) -> tuple[Folder, ...]:
    """Cut a folder into ranges of keys, one a sub-folder, without gaps.

    Args:
        folder: The cluster's folder.
        below: The prefixes of its sub-folders, in any order.

    """
    borders = sorted(below)[1:]
    starts, ends = ("", *borders), (*borders, "")
    return tuple(
        replace(folder, after=after, until=until) for after, until in zip(starts, ends, strict=True)
    )
