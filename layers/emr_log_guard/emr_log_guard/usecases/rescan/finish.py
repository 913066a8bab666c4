"""Finish a re-scan: record the results of all shards, compare with the last run, notify."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.finding_record import (
    OBJECTS,
    SAMPLES,
    Extent,
    FindingRecord,
    Kind,
    RuleResult,
)
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import large_bucket_advice
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.reencryption_plan import (
    PlannedFolder,
    PlanTally,
    ReencryptionPlan,
    plan_reencryption,
)
from emr_log_guard.domain.rescan import (
    OVERLAP,
    BadObjects,
    Folder,
    FolderCheckpoint,
    Rescan,
    RescanCheckpoint,
    Shard,
    ShardDenied,
    ShardDone,
    ShardFailed,
)
from emr_log_guard.domain.rescan_report import Difference, RescanReport
from emr_log_guard.observability import record_rescan
from emr_log_guard.usecases.findings import ActionDispatcher, FindingRecorder
from emr_log_guard.usecases.ports import FindingRepository, OpenFindings, PolicyProvider
from emr_log_guard.usecases.rescan.coverage import covered, not_evaluated
from emr_log_guard.usecases.rescan.ports import RescanAlerts, RescanResults
from emr_log_guard.usecases.rescan.record import RecordLogObjects


class RescanRepository(FindingRepository, OpenFindings, Protocol):
    """The records of one cluster, and all open findings."""


@dataclass(slots=True)
class _ClusterObjects:
    """The results of all shards for a cluster's log objects."""

    home: Folder | None = None
    """Where the cluster itself logs to, if that was scanned."""
    complete: bool = True
    undetermined: bool = False
    bad: defaultdict[str, list[BadObjects]] = field(default_factory=lambda: defaultdict(list))


@dataclass(slots=True)
class _Totals:
    """The totals of all shards."""

    clusters: Counter[str] = field(default_factory=Counter)
    log_objects: Counter[str] = field(default_factory=Counter)
    described: int = 0
    listed: int = 0
    to_reencrypt: int = 0
    complete: set[str] = field(default_factory=set)
    attention: set[str] = field(default_factory=set)
    seen: dict[str, _ClusterObjects] = field(default_factory=dict)
    by_bucket: Counter[str] = field(default_factory=Counter)
    """How many log objects were listed."""
    plans: dict[Folder, PlanTally] = field(default_factory=dict)
    """What a dry run counted, by folder."""
    denied: dict[str, str] = field(default_factory=dict)
    """Which call was denied, by shard."""

    def add(self, done: ShardDone) -> None:
        self.clusters.update(done.clusters)
        self.log_objects.update(done.log_objects)
        self.described += done.described
        self.listed += done.listed
        self.to_reencrypt += done.to_reencrypt
        self.attention.update(done.attention)
        if not done.next_after:
            self.complete.add(done.shard)
        if done.folder is not None:
            cluster_id = done.folder.cluster_id
            seen = self.seen.setdefault(cluster_id, _ClusterObjects())
            seen.home = done.folder if done.folder.home else seen.home
            self.by_bucket[done.folder.bucket or ""] += done.listed
            seen.undetermined |= bool(done.log_objects.get(Compliance.INSUFFICIENT_DATA))
            if done.denied:
                seen.complete = False
                self.denied[done.shard] = done.denied
            if done.plan is not None:
                folder = Folder(cluster_id, done.folder.bucket, done.folder.prefix)
                self.plans.setdefault(folder, PlanTally()).merge(done.plan)
            for bad in done.bad:
                seen.bad[bad.finding.rule_id].append(bad)
                self.attention.add(cluster_id)

    def miss(self, shard: Shard) -> None:
        """Record that a shard is not complete."""
        if shard.folder is not None and shard.folder.cluster_id in self.seen:
            self.seen[shard.folder.cluster_id].complete = False


@dataclass(frozen=True, slots=True)
class FinishRescan:
    """Finishes a run."""

    results: RescanResults
    repository: RescanRepository
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    policy: PolicyProvider
    alerts: RescanAlerts
    clock: Callable[[], datetime]
    checked_buckets: tuple[str, ...] = ()
    """The buckets whose objects are checked; empty: all."""

    def __call__(self, rescan: Rescan) -> Mapping[str, str | int]:
        """Record, compare, write the report, notify, and store the checkpoint.

        Returns:
            The figures of the run, and where its report is.

        """
        policy, history = self.policy(), self.results.checkpoint()
        if history.execution == rescan.execution:  # a retry after everything was done
            return history.answer
        total, failed, denied = self._total(rescan)
        for cluster_id, seen in total.seen.items():
            self._record(rescan, cluster_id, seen, policy)
        difference = Difference.between(history, self._open_findings(history, total.attention))
        checkpoint = _checkpoint(rescan, history, total.seen, difference)
        report = RescanReport(
            rescan=rescan,
            finished=self.clock(),
            place=self.results.place(rescan.name),
            shards=len(total.complete) + len(failed),
            failed=failed,
            denied=denied,
            clusters=total.clusters,
            described=total.described,
            listed=total.listed,
            log_objects=total.log_objects,
            difference=difference,
            advice=large_bucket_advice(total.by_bucket),
            exemptions=policy.exemptions,
            checked_buckets=self.checked_buckets,
            buckets=covered(checkpoint, total.by_bucket, self.checked_buckets),
            not_evaluated=tuple(not_evaluated(rescan, policy)),
            past=history.runs,
        )
        self.results.report(report)
        if policy.mode is not Mode.OBSERVE:
            self.alerts.rescan_done(report)
        answer: Mapping[str, str | int] = {
            "report": report.place,
            "compliance": report.compliance,
            "new": len(difference.new),
            "resolved": len(difference.resolved),
            "still_open": len(difference.still_open),
            "exempt": len(difference.exempt),
            "undetermined": len(difference.undetermined),
            "failed_shards": len(failed),
            "denied_shards": len(denied),
            "listed": total.listed,
            "to_reencrypt": total.to_reencrypt,
        }
        if rescan.dry_run:
            self.results.write_plan(rescan.name, _plan(rescan, total))
        record_rescan(report)
        self.results.write_checkpoint(replace(checkpoint, runs=report.runs, answer=answer))
        return answer

    def _total(
        self, rescan: Rescan
    ) -> tuple[_Totals, tuple[ShardFailed, ...], tuple[ShardDenied, ...]]:
        total = _Totals()
        for done in self.results.all_done(rescan.name):
            total.add(done)
        why = {each.shard: each for each in self.results.all_failed(rescan.name)}
        failed, denied = [], []
        for shard in self.results.planned(rescan.name):
            if shard.id in total.denied:
                denied.append(ShardDenied(shard.id, shard.title, total.denied[shard.id]))
            elif shard.id not in total.complete:
                total.miss(shard)
                unknown = ShardFailed(shard.id, shard.title, "it left no result")
                failed.append(why.get(shard.id, unknown))
        return total, tuple(failed), tuple(denied)

    def _record(
        self, rescan: Rescan, cluster_id: str, seen: _ClusterObjects, policy: Policy
    ) -> None:
        """Record the results for a cluster's log objects, if there is something to record."""
        whole = rescan.deep and seen.complete and not seen.undetermined
        if not seen.bad and not whole:
            return
        history = self.repository.read(cluster_id)
        extent = Extent.ALL if whole else Extent.AGAIN
        results = [_result(found, rescan.started, extent) for found in seen.bad.values()]
        if whole:
            results += _resolved(history.records, seen.bad, rescan.started)
        if results:
            record = RecordLogObjects(self.recorder, self.dispatcher, self.policy)
            record(cluster_id, results, policy, history)

    def _open_findings(
        self, history: RescanCheckpoint, attention: Iterable[str]
    ) -> Iterator[Finding]:
        """Read the open findings: the index may lag by a second, so the clusters are read."""
        cluster_ids = dict.fromkeys(
            (
                *(record.finding.cluster_id for record in self.repository.open_records()),
                *sorted(attention),
                *map(_cluster_id, history.open),
            )
        )
        for cluster_id in cluster_ids:
            for record in self.repository.read(cluster_id).records.values():
                if record.open:
                    yield record.finding


def _plan(rescan: Rescan, total: _Totals) -> ReencryptionPlan:
    """Sum up a dry run, of the objects whose upload had begun and ended before it started."""
    folders = [
        PlannedFolder(
            str(folder.bucket),
            folder.prefix,
            tally.plan,
            complete=total.seen[folder.cluster_id].complete,
        )
        for folder, tally in total.plans.items()
    ]
    account = Arn.of(rescan.execution).account
    return plan_reencryption(folders, total.by_bucket, account, rescan.started - OVERLAP)


def _cluster_id(finding_id: str) -> str:
    return finding_id.rpartition("#")[0].rpartition("/")[2]


def _result(found: list[BadObjects], at: datetime, extent: Extent) -> RuleResult:
    """Merge the results of the shards for one rule: violations take precedence."""
    violations = [each for each in found if each.finding.compliance is Compliance.NON_COMPLIANT]
    parts = violations or found
    first = parts[0].finding
    samples = (each.finding.evidence.get("samples") for each in parts)
    named = (name for each in samples if isinstance(each, (list, tuple)) for name in each)
    objects = (version for each in parts for version in each.objects)
    before = [each.reencrypted_before for each in parts if each.reencrypted_before is not None]
    return RuleResult(
        replace(
            first,
            occurrences=sum(each.finding.occurrences for each in parts),
            evidence={**first.evidence, "samples": tuple(dict.fromkeys(named))[:SAMPLES]},
        ),
        Kind.LOG_OBJECTS,
        at,
        bad=tuple(dict.fromkeys(objects))[:OBJECTS],
        newest=max((each.newest for each in parts if each.newest), default=None),
        extent=extent,
        reencrypted_before=min(before, default=None),
    )


def _resolved(
    records: Mapping[str, FindingRecord], bad: Mapping[str, object], at: datetime
) -> Iterator[RuleResult]:
    """Return compliant results for open findings that no object violates now."""
    for rule_id, record in records.items():
        if record.kind is Kind.LOG_OBJECTS and record.open and rule_id not in bad:
            finding = replace(record.finding, compliance=Compliance.COMPLIANT)
            yield RuleResult(finding, Kind.LOG_OBJECTS, at, extent=Extent.ALL)


def _checkpoint(
    rescan: Rescan,
    history: RescanCheckpoint,
    seen: Mapping[str, _ClusterObjects],
    difference: Difference,
) -> RescanCheckpoint:
    """Return from when the next run searches for new objects, by cluster."""
    folders = dict(history.folders)
    for cluster_id, each in seen.items():
        home = each.home
        if not each.complete or home is None or home.bucket is None:
            continue
        before = history.folders.get(cluster_id)
        missed = None if home.active else (before and before.missed) or rescan.started
        tracked = FolderCheckpoint(home.bucket, home.prefix, rescan.started, missed)
        if tracked.over(rescan.started):
            folders.pop(cluster_id, None)
        else:
            folders[cluster_id] = tracked
    scanned = rescan.scope.log_objects and rescan.cluster is None
    return RescanCheckpoint(
        execution=rescan.execution,
        started=rescan.started if scanned else history.started,
        open=tuple(sorted(finding.id for finding in difference.open)),
        folders=folders if scanned else history.folders,
    )
