"""What re-scans need of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from emr_log_guard.usecases.ports import LogObjects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from emr_log_guard.domain.clusters import ClusterSummary
    from emr_log_guard.domain.finding_record import ClusterSnapshot
    from emr_log_guard.domain.log_objects import ObjectVersion
    from emr_log_guard.domain.rescan import Folder, RescanCheckpoint, Shard, ShardDone, ShardFailed
    from emr_log_guard.domain.rescan_report import RescanReport


class ClustersByAge(Protocol):
    """Lists clusters."""

    def summaries(
        self, states: Sequence[str], created_after: datetime | None = None
    ) -> Iterator[ClusterSummary]:
        """List those in these states, all or those launched later, or raise NotReadableError."""
        ...


@dataclass(frozen=True, slots=True)
class ListedObject:
    """A log object as a listing tells of it."""

    version: ObjectVersion
    modified: datetime
    """UTC"""


class Folders(Protocol):
    """Knows what folders there are."""

    def below(self, bucket: str, prefix: str) -> tuple[str, ...]:
        """Name the folders right below a prefix, or raise NotReadableError."""
        ...


class LogFolders(LogObjects, Protocol):
    """Lists the log objects of folders, and reads them."""

    def within(
        self, folder: Folder, *, versions: bool, owner: str | None = None
    ) -> Iterator[ListedObject]:
        """List a folder's objects in S3's order, old versions too if asked for.

        Or raise NotReadableError; AccessDeniedError where trying again will not help.
        """
        ...


class KnownClusters(Protocol):
    """What is remembered of many clusters themselves."""

    def recall_all(self, cluster_ids: Iterable[str]) -> Mapping[str, ClusterSnapshot]:
        """Recall those that are remembered, by id."""
        ...


class RescanClaim(Protocol):
    """One re-scan at a time."""

    def take(self, execution: str, instead_of: str | None = None) -> str | None:
        """Claim the re-scan for an execution; name the other one that has it, if one has.

        It is taken from nobody, or from the one that it is taken instead of.
        """
        ...


class Executions(Protocol):
    """Knows executions of the state machine."""

    def running(self, execution: str) -> bool:
        """Ask whether an execution still runs."""
        ...


class RescanResults(Protocol):
    """Where a re-scan keeps what it plans and finds."""

    def plan(self, run: str, shards: Iterable[Shard]) -> str:
        """Write what is to be looked at; name the place for the state machine."""
        ...

    def planned(self, run: str) -> tuple[Shard, ...]:
        """Read what was to be looked at."""
        ...

    def lines(self, run: str, part: str) -> AbstractContextManager[Callable[[object], None]]:
        """Give what writes the things that are to be told of a part of a shard, a line each."""
        ...

    def done(self, run: str, part: str, done: ShardDone) -> None:
        """Write what came of a part of a shard."""
        ...

    def failed(self, run: str, failed: ShardFailed) -> None:
        """Write down that a shard could not be looked at."""
        ...

    def all_done(self, run: str) -> Iterable[ShardDone]:
        """Read what came of every part of a shard."""
        ...

    def all_failed(self, run: str) -> Iterable[ShardFailed]:
        """Read which shards are known to have failed."""
        ...

    def place(self, run: str) -> str:
        """Name the place of a run's report, an S3 URI."""
        ...

    def report(self, report: RescanReport) -> None:
        """Write the report."""
        ...

    def recall(self) -> RescanCheckpoint:
        """Read what the last run left."""
        ...

    def remember(self, history: RescanCheckpoint) -> None:
        """Leave it to the next."""
        ...


class RescanAlerts(Protocol):
    """Tells people about re-scans."""

    def rescan_done(self, report: RescanReport) -> None:
        """Say what a re-scan found."""
        ...
