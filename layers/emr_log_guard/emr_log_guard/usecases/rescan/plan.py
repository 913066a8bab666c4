"""Plan a re-scan: list the clusters and log folders, and cut them into shards."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched, count
from typing import Protocol

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.emr_rates import SCAN_ENVIRONMENTS
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.log_uri import LogLocation, cluster_ids_in, is_checked
from emr_log_guard.domain.rescan import (
    OVERLAP,
    Folder,
    Rescan,
    RescanCheckpoint,
    Shard,
    ShardKind,
    cut,
)
from emr_log_guard.errors import NotReadableError
from emr_log_guard.events.rescan import RescanRequest
from emr_log_guard.observability import logger, record_missed_by_events
from emr_log_guard.usecases.audit.scope import ACTIVE
from emr_log_guard.usecases.bounded_map import bounded_map
from emr_log_guard.usecases.ports import OpenFindings, PolicyProvider
from emr_log_guard.usecases.rescan.ports import (
    ClustersByAge,
    ClusterSnapshots,
    Executions,
    Folders,
    RescanLease,
    RescanResults,
)

LOGGING = (*ACTIVE, "TERMINATING")
"""The states of clusters that may write logs."""
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
KNOWN_CLUSTERS = 40
"""How many known clusters are in a shard. If all become non-compliant at once, as with a disabled
key, the default share of EMR's quotas allows to read them within a function's 15 minutes."""
CLUSTERS = 10
"""How many clusters to describe are in a shard: a fifth of the default share is enough for them."""
LOG_SHARDS_AT_ONCE = 20
"""How many shards of log objects are scanned at once: Lambda's quota is for others, too."""


THREADS = 32
"""How many folders are listed concurrently."""


class PlanRepository(ClusterSnapshots, OpenFindings, Protocol):
    """The snapshots and open findings of all clusters."""


@dataclass(frozen=True, slots=True)
class PlanRescan:
    """Plans the shards. It describes no cluster: the shards do, concurrently."""

    lease: RescanLease
    executions: Executions
    clusters: ClustersByAge
    folders: Folders
    repository: PlanRepository
    results: RescanResults
    policy: PolicyProvider
    clock: Callable[[], datetime]
    checked_buckets: tuple[str, ...] = ()
    """The buckets whose objects are looked at; empty when it is all."""

    def __call__(self, asked: RescanRequest) -> dict[str, object]:
        """Plan a run.

        Returns:
            The run, how many shards it has, and for clusters and then log objects the key of the
            file that their shards are in and how many of them to scan at once: what the state
            machine goes on with. Or why it is refused: another one runs, or it is to re-encrypt
            log objects, and the stack or the policy does not allow that.

        Raises:
            NotReadableError: The clusters cannot be listed.

        """
        if asked.reencrypt and (reason := self.policy(force_refresh=True).why_not_reencrypted):
            return {"refused": reason}
        holder = self._holder(asked.execution)
        if holder is not None:
            return {
                "refused": f"a re-scan is running: {holder}; wait until it has finished, or stop it"
            }
        rescan = Rescan(
            execution=asked.execution,
            started=self.clock(),
            scope=asked.scope,
            deep=asked.deep,
            reencrypt=asked.reencrypt,
            dry_run=asked.dry_run,
            cluster=asked.cluster,
        )
        shards = tuple(self._shards(rescan))
        logger.info("re-scan planned", execution=asked.execution, shards=len(shards))
        return {
            "rescan": {
                "execution": rescan.execution,
                "started": rescan.started.isoformat(),
                "scope": rescan.scope,
                "deep": rescan.deep,
                "reencrypt": rescan.reencrypt,
                "dry_run": rescan.dry_run,
                "cluster": rescan.cluster,
            },
            "shards": len(shards),
            **self._scans(rescan, shards),
        }

    def _scans(self, rescan: Rescan, shards: Sequence[Shard]) -> dict[str, object]:
        """Store the shards: clusters come first, because log objects are compared with them."""
        clusters = [shard for shard in shards if shard.folder is None]
        log_objects = [shard for shard in shards if shard.folder is not None]
        scan: dict[str, object] = {}
        for kind, of_kind, at_once in (
            (ShardKind.LOG_OBJECTS, log_objects, LOG_SHARDS_AT_ONCE),
            (ShardKind.CLUSTERS, clusters, SCAN_ENVIRONMENTS),
        ):
            key = self.results.plan(rescan.name, kind, of_kind)
            if of_kind:
                then = {"then": scan["scan"]} if scan else {}
                scan = {"scan": {"shards_key": key, "shards_at_once": at_once, **then}}
        return scan

    def _holder(self, execution: str) -> str | None:
        """Take the lease; return the execution that holds it, if another one does.

        A lease is valid while its execution is running.
        """
        holder = self.lease.take(execution)
        if holder is not None and not self.executions.running(holder):
            holder = self.lease.take(execution, instead_of=holder)
        return holder

    def _shards(self, rescan: Rescan) -> Iterator[Shard]:
        if rescan.cluster is not None:
            known = self.repository.snapshots([rescan.cluster])
            yield from self._of_log_objects(
                rescan, [*_folders_of([rescan.cluster], known)], RescanCheckpoint()
            )
            return
        active = [summary.id for summary in self.clusters.summaries(LOGGING)]
        history = self.results.checkpoint() if rescan.scope.log_objects else RescanCheckpoint()
        ended = [*self._ended_since(history)]
        known = self.repository.snapshots([*active, *ended])
        if history.started is not None:  # the guard may not have run before the first one
            record_missed_by_events(len({*active, *ended} - known.keys()))
        if rescan.scope.clusters:
            missed_by_events = [each for each in ended if each not in known]
            yield from self._of_clusters(rescan, [*active, *missed_by_events], known)
        if rescan.scope.log_objects:
            folders = [*_folders_of(active, known), *_ended_folders(ended, known, history, active)]
            yield from self._of_log_objects(rescan, folders, history)

    def _ended_since(self, history: RescanCheckpoint) -> Iterator[str]:
        """Return the clusters that were launched since the last run and have terminated."""
        if history.started is not None:
            for summary in self.clusters.summaries(ENDED, history.started - OVERLAP):
                yield summary.id

    def _of_clusters(
        self, rescan: Rescan, listed: Sequence[str], known: Mapping[str, ClusterSnapshot]
    ) -> Iterator[Shard]:
        """Separate clusters that were compliant when last evaluated from those to be described."""
        with_open_findings = {
            record.finding.cluster_id: None for record in self.repository.open_records()
        }
        settled = [
            each
            for each in listed
            if not rescan.deep
            and each not in with_open_findings
            and each in known
            and _was_evaluated(known[each])
        ]
        taken = set(settled)
        # Clusters with open findings that are not listed have terminated without an event.
        others = dict.fromkeys(
            (*(each for each in listed if each not in taken), *with_open_findings)
        )
        numbers = count(1)
        for batch in batched(settled, KNOWN_CLUSTERS):
            yield Shard(id=f"clusters-{next(numbers):05}", known=batch)
        for batch in batched(others, CLUSTERS):
            yield Shard(id=f"clusters-{next(numbers):05}", clusters=batch)

    def _of_log_objects(
        self, rescan: Rescan, folders: Sequence[Folder], history: RescanCheckpoint
    ) -> Iterator[Shard]:
        everything = rescan.deep or rescan.reencrypt
        elsewhere = everything and rescan.cluster is None
        candidates = [*folders, *(self._existing_folders(folders) if elsewhere else ())]
        places = {
            (each.cluster_id, each.bucket, each.prefix): each for each in reversed(candidates)
        }
        wanted = (
            replace(each, since=None if everything else _since(history, each.cluster_id))
            for each in places.values()
            if _checked(each, self.checked_buckets)
        )
        numbers = count(1)
        with ThreadPoolExecutor(THREADS, "folder") as pool:
            for parts in bounded_map(wanted, self._cut, pool, 2 * THREADS):
                for part in parts:
                    yield Shard(id=f"objects-{next(numbers):06}", folder=part)

    def _existing_folders(self, folders: Sequence[Folder]) -> Iterator[Folder]:
        """Return all existing cluster folders in all log locations, also of terminated clusters."""
        locations = {
            (each.bucket, each.prefix.removesuffix(f"{each.cluster_id}/")): None
            for each in folders
            if each.bucket is not None
        }
        # The shards of these look up their location, which may be one of these folders.
        elsewhere = {each.cluster_id for each in folders if each.bucket is None}
        for bucket, prefix in locations:
            if not is_checked(bucket, self.checked_buckets):
                continue
            try:
                below = self.folders.below(bucket, prefix)
            except NotReadableError as error:  # the shards of known folders report it
                logger.warning("folders cannot be listed", reason=str(error))
                continue
            for name in below:
                ids = cluster_ids_in(f"{name.removeprefix(prefix)}")
                if ids and ids[0] not in elsewhere:
                    yield Folder(ids[0], bucket, name, home=False)

    def _cut(self, folder: Folder) -> tuple[Folder, ...]:
        if folder.bucket is None:
            return (folder,)
        try:
            return cut(folder, self.folders.below(folder.bucket, folder.prefix))
        except NotReadableError as error:  # its shard fails, and reports it
            logger.warning("a folder cannot be listed", reason=str(error))
            return (folder,)


def _checked(folder: Folder, buckets: Collection[str]) -> bool:
    return folder.bucket is None or is_checked(folder.bucket, buckets)


def _was_evaluated(known: ClusterSnapshot) -> bool:
    """Whether a cluster was evaluated, and not only read for a log object."""
    return bool(known.keys) or known.cluster.log_key_identifier is None


def _folders_of(
    cluster_ids: Iterable[str], known: Mapping[str, ClusterSnapshot]
) -> Iterator[Folder]:
    """Return the folders of clusters; those of unknown clusters are looked up by the scan."""
    for each in cluster_ids:
        if each not in known:
            yield Folder(each)
        elif known[each].cluster.log_uri is not None:
            yield _folder(known[each].cluster) or Folder(each)


def _ended_folders(
    ended: Iterable[str],
    known: Mapping[str, ClusterSnapshot],
    history: RescanCheckpoint,
    active: Collection[str],
) -> Iterator[Folder]:
    """Return the folders of recently terminated clusters: their last logs may be new."""
    running = set(active)
    tracked = {
        each: Folder(each, place.bucket, place.prefix)
        for each, place in history.folders.items()
        if each not in running
    }
    new = (each for each in ended if each not in tracked)
    for folder in (*tracked.values(), *_folders_of(new, known)):
        yield replace(folder, active=False)


def _folder(cluster: Cluster) -> Folder | None:
    location = LogLocation.parse(cluster.log_uri) if cluster.log_uri else None
    if location is None:
        return None
    return Folder(cluster.id, location.bucket, f"{location.prefix}{cluster.id}/")


def _since(history: RescanCheckpoint, cluster_id: str) -> datetime | None:
    tracked = history.folders.get(cluster_id)
    return tracked.since - OVERLAP if tracked else None
