"""Whole re-scans against fakes: planned, scanned and finished, as the state machine does it."""

from dataclasses import dataclass, field
from itertools import count

import msgspec

from emr_log_guard.adapters.cache import CachedKeys
from emr_log_guard.adapters.dynamodb import DynamoRescanLease, StoredClusters
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.rescan import Rescan, Scope, Shard
from emr_log_guard.domain.rescan_report import RescanReport
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.events.rescan import RescanRequest, ShardTask
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.rescan.clusters import ScanClusters
from emr_log_guard.usecases.rescan.finish import FinishRescan
from emr_log_guard.usecases.rescan.log_objects import RequestReencryption, ScanLogObjects
from emr_log_guard.usecases.rescan.plan import PlanRescan
from emr_log_guard.usecases.rescan.record import RecordLogObjects
from emr_log_guard.usecases.rescan.shard import ScanShard
from tests.unit.builders import ACCOUNT, CLUSTER_ID, REGION, a_cluster
from tests.unit.fakes import FakeExecutions, FakeFolders, FakeListing, FakeRescanResults
from tests.unit.usecases.world import World, runbook

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:emr-log-guard-rescan"


def a_name(number: int) -> str:
    return f"j-{number:013}"


def another(cluster: Cluster, number: int) -> Cluster:
    """Make a cluster like another one, with an id of its own."""
    name = a_name(number)
    return a_cluster(
        id=name,
        arn=cluster.arn.replace(CLUSTER_ID, name),
        log_uri=cluster.log_uri,
        log_key_identifier=cluster.log_key_identifier,
    )


@dataclass
class Rescans:
    """Runs, one after the other, in one world."""

    world: World = field(default_factory=World)
    listing: FakeListing = field(default_factory=FakeListing)
    folders: FakeFolders = field(default_factory=FakeFolders)
    results: FakeRescanResults = field(default_factory=FakeRescanResults)
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    checked_buckets: tuple[str, ...] = ()
    seconds: float = 600
    ticks: float = 0
    """How many seconds pass at each reading of the clock."""

    def __post_init__(self) -> None:
        self.numbers = count(1)
        self.time = 0.0

    def launch(self, *clusters: Cluster) -> None:
        """Have clusters run, of which no event was heard."""
        for cluster in clusters:
            self.world.clusters.known[cluster.id] = cluster
            self.listing.active.append(cluster.id)

    def end(self, cluster_id: str) -> None:
        """Have a cluster be gone, of which no event was heard."""
        self.listing.active.remove(cluster_id)
        self.world.clusters.known[cluster_id] = a_cluster(id=cluster_id, state="TERMINATED")

    def check(self, cluster_id: str) -> None:
        """Have an event heard of a cluster."""
        self.world.check_cluster(ClusterCheckRequest(cluster_id))

    @property
    def plan(self) -> PlanRescan:
        return PlanRescan(
            lease=DynamoRescanLease(self.world.table, "findings"),
            executions=self.executions,
            clusters=self.listing,
            folders=self.folders,
            repository=self.world.repository,
            results=self.results,
            policy=self.world.current_policy,
            clock=self.world.clock,
            checked_buckets=self.checked_buckets,
        )

    def timer(self) -> float:
        self.time += self.ticks
        return self.time

    @property
    def scan(self) -> ScanShard:
        world = self.world
        read = ReadClusterFacts(CachedKeys(world.keys), bucket_owners=world.buckets)
        return ScanShard(
            clusters=ScanClusters(
                check=world.check_cluster,
                known=world.repository,
                read_facts=read,
                clock=world.clock,
                runbook=runbook,
            ),
            log_objects=ScanLogObjects(
                folders=self.folders,
                clusters=StoredClusters(world.clusters, world.repository),
                keys=read.keys,
                steps=world.clusters,
                buckets=world.buckets,
                policy=world.current_policy,
                clock=world.clock,
                runbook=runbook,
                checked_buckets=self.checked_buckets,
                reencryption=(
                    RequestReencryption(
                        world.repository,
                        RecordLogObjects(world.recorder, world.dispatcher, world.current_policy),
                        world.reencryptions,
                    )
                    if world.policy.reencryption.allowed
                    else None
                ),
                threads=4,
                seconds=self.seconds,
                timer=self.timer,
            ),
            results=self.results,
        )

    @property
    def finish(self) -> FinishRescan:
        world = self.world
        return FinishRescan(
            results=self.results,
            repository=world.repository,
            recorder=world.recorder,
            dispatcher=world.dispatcher,
            policy=world.current_policy,
            alerts=world.alerts,
            clock=world.clock,
            checked_buckets=self.checked_buckets,
        )

    def planned(
        self,
        scope: Scope = Scope.ALL,
        *,
        deep: bool = False,
        reencrypt: bool = False,
        dry_run: bool = False,
        cluster: str | None = None,
    ) -> tuple[Rescan, list[Shard]]:
        """Plan a run."""
        execution = f"{MACHINE}:run-{next(self.numbers)}"
        planned = self.plan(RescanRequest(execution, scope, deep, reencrypt, cluster, dry_run))
        rescan = msgspec.convert(planned["rescan"], Rescan)
        assert planned["shards"] == len(self.results.shards)
        return rescan, list(self.results.shards)

    def scan_all(self, rescan: Rescan, shard: Shard) -> None:
        """Scan a shard, in as many invocations as it takes."""
        after: str | None = ""
        while after is not None:
            after = self.scan(ShardTask(rescan, shard, after)).get("after")

    def run(  # noqa: PLR0913 - the input of a re-scan
        self,
        scope: Scope = Scope.ALL,
        *,
        deep: bool = False,
        reencrypt: bool = False,
        dry_run: bool = False,
        cluster: str | None = None,
        fails: dict[str, str] | None = None,
    ) -> RescanReport:
        """Make a whole run, in which shards about some words fail for some reason."""
        rescan, shards = self.planned(
            scope, deep=deep, reencrypt=reencrypt, dry_run=dry_run, cluster=cluster
        )
        for shard in shards:
            why = [why for about, why in (fails or {}).items() if about in str(shard)]
            if why:
                self.scan(ShardTask(rescan, shard, failed=why[0]))
                continue
            self.scan_all(rescan, shard)
        self.finish(rescan)
        return self.results.reports[-1]
