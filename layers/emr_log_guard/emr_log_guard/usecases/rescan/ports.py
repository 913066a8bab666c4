"""Interfaces of re-scans to the outside."""

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
    from emr_log_guard.domain.reencryption_plan import ReencryptionPlan
    from emr_log_guard.domain.rescan import (
        Folder,
        RescanCheckpoint,
        Shard,
        ShardDone,
        ShardFailed,
        ShardKind,
    )
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
    """A log object in a listing."""

    version: ObjectVersion
    modified: datetime
    """UTC"""


class Folders(Protocol):
    """Lists folders."""

    def below(self, bucket: str, prefix: str) -> tuple[str, ...]:
        """List the folders directly below a prefix, or raise NotReadableError."""
        ...


class LogFolders(LogObjects, Protocol):
    """Lists the log objects of folders, and reads them."""

    def within(
        self, folder: Folder, *, versions: bool, owner: str | None = None
    ) -> Iterator[ListedObject]:
        """List a folder's objects in S3's order, old versions too if asked for.

        Raises NotReadableError, or AccessDeniedError when a retry will not help.
        """
        ...


class ClusterSnapshots(Protocol):
    """Reads the snapshots of many clusters."""

    def snapshots(self, cluster_ids: Iterable[str]) -> Mapping[str, ClusterSnapshot]:
        """Read the stored ones, by id."""
        ...


class RescanLease(Protocol):
    """The lease of the running re-scan."""

    def take(self, execution: str, instead_of: str | None = None) -> str | None:
        """Take the lease for an execution; return the holder if it is another one.

        A lease of another execution is only taken over if it is `instead_of`.
        """
        ...


class Executions(Protocol):
    """Reads executions of the state machine."""

    def running(self, execution: str) -> bool:
        """Return whether an execution is still running."""
        ...


class RescanResults(Protocol):
    """Stores the plan and the results of a re-scan."""

    def plan(self, run: str, kind: ShardKind, shards: Iterable[Shard]) -> str:
        """Write the shards of one kind; return the key for the state machine."""
        ...

    def planned(self, run: str) -> tuple[Shard, ...]:
        """Read the planned shards."""
        ...

    def lines(self, run: str, part: str) -> AbstractContextManager[Callable[[object], None]]:
        """Return a function that writes lines about a part of a shard."""
        ...

    def done(self, run: str, part: str, done: ShardDone) -> None:
        """Write the result of a part of a shard."""
        ...

    def failed(self, run: str, failed: ShardFailed) -> None:
        """Record that a shard failed."""
        ...

    def all_done(self, run: str) -> Iterable[ShardDone]:
        """Read the results of all parts of shards."""
        ...

    def all_failed(self, run: str) -> Iterable[ShardFailed]:
        """Read which shards failed."""
        ...

    def place(self, run: str) -> str:
        """Return the S3 URI of a run's report."""
        ...

    def report(self, report: RescanReport) -> None:
        """Write the report."""
        ...

    def write_plan(self, run: str, plan: ReencryptionPlan) -> None:
        """Write what a dry run found."""
        ...

    def checkpoint(self) -> RescanCheckpoint:
        """Read the checkpoint of the last run."""
        ...

    def write_checkpoint(self, history: RescanCheckpoint) -> None:
        """Store the checkpoint for the next."""
        ...


class RescanAlerts(Protocol):
    """Sends alerts about re-scans."""

    def rescan_done(self, report: RescanReport) -> None:
        """Alert on the result of a re-scan."""
        ...
