"""Scan one shard of a re-scan, and store its result."""

from dataclasses import dataclass

from emr_log_guard.domain.rescan import ShardFailed
from emr_log_guard.events.rescan import ShardTask
from emr_log_guard.observability import logger, record_shard
from emr_log_guard.usecases.rescan.clusters import ScanClusters
from emr_log_guard.usecases.rescan.log_objects import ScanLogObjects
from emr_log_guard.usecases.rescan.ports import RescanResults


@dataclass(frozen=True, slots=True)
class ScanShard:
    """Scans a shard of clusters or log objects."""

    clusters: ScanClusters
    log_objects: ScanLogObjects
    results: RescanResults

    def __call__(self, task: ShardTask) -> dict[str, str]:
        """Scan a shard, or record that it failed.

        Returns:
            Where the rest of the shard starts; empty when nothing is left.

        Raises:
            NotReadableError: Its log objects cannot be listed, but a retry may help.

        """
        run, shard = task.rescan.name, task.shard
        if task.failed is not None:
            self.results.failed(run, ShardFailed(shard.id, shard.title, task.failed))
            logger.error("shard failed", shard=shard.id, about=shard.title, reason=task.failed)
            return {}
        part = f"{shard.id}/{task.after}" if task.after else shard.id
        with self.results.lines(run, part) as write_line:
            if shard.folder is None:
                done = self.clusters(shard, write_line)
            else:
                done = self.log_objects(task.rescan, shard, shard.folder, task.after, write_line)
        self.results.done(run, part, done)
        if done.denied:
            logger.warning("shard denied", shard=shard.id, about=shard.title, reason=done.denied)
        record_shard(shard.id, done.clusters, done.log_objects, listed=done.listed)
        return {"after": done.next_after} if done.next_after else {}
