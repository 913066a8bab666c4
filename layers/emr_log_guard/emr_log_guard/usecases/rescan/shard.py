"""Look at one shard of a re-scan, and write down what came of it."""

from dataclasses import dataclass

from emr_log_guard.domain.rescan import ShardFailed
from emr_log_guard.events.rescan import ShardTask
from emr_log_guard.observability import logger, record_shard
from emr_log_guard.usecases.rescan.clusters import ScanClusters
from emr_log_guard.usecases.rescan.log_objects import ScanLogObjects
from emr_log_guard.usecases.rescan.ports import RescanResults


@dataclass(frozen=True, slots=True)
class ScanShard:
    """Gives each kind of shard to whom it is for."""

    clusters: ScanClusters
    log_objects: ScanLogObjects
    results: RescanResults

    def __call__(self, task: ShardTask) -> dict[str, str]:
        """Look at a shard, or write down that it could not be looked at.

        Returns:
            Where the rest of the shard begins; nothing when there is none.

        Raises:
            NotReadableError: Its log objects cannot be listed, which may change.

        """
        run, shard = task.rescan.name, task.shard
        if task.failed is not None:
            self.results.failed(run, ShardFailed(shard.id, shard.title, task.failed))
            logger.error("shard failed", shard=shard.id, about=shard.title, reason=task.failed)
            return {}
        part = f"{shard.id}/{task.after}" if task.after else shard.id
        with self.results.lines(run, part) as tell:
            if shard.folder is None:
                done = self.clusters(shard, tell)
            else:
                done = self.log_objects(task.rescan, shard, shard.folder, task.after, tell)
        self.results.done(run, part, done)
        if done.denied:
            logger.warning("shard denied", shard=shard.id, about=shard.title, reason=done.denied)
        record_shard(shard.id, done.clusters, done.log_objects, listed=done.listed)
        return {"after": done.next_after} if done.next_after else {}
