"""Finish a re-scan: enter what takes all shards to know, compare with the last run, tell."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

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
from emr_log_guard.domain.notification_plan import plan_notifications
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.rescan import (
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
from emr_log_guard.errors import StalePolicyError
from emr_log_guard.observability import record_rescan
from emr_log_guard.usecases.findings import ActionDispatcher, CheckResult, FindingRecorder
from emr_log_guard.usecases.ports import FindingRepository, OpenFindings, PolicyInForce
from emr_log_guard.usecases.rescan.coverage import covered, not_evaluated
from emr_log_guard.usecases.rescan.ports import RescanAlerts, RescanResults


class WholeLedger(FindingRepository, OpenFindings, Protocol):
    """What is remembered, of one cluster and of all."""


@dataclass(slots=True)
class _Seen:
    """What all shards together saw of a cluster's log objects."""

    home: Folder | None = None
    """Where the cluster itself logs to, if that was looked at."""
    complete: bool = True
    doubt: bool = False
    bad: defaultdict[str, list[BadObjects]] = field(default_factory=lambda: defaultdict(list))


@dataclass(slots=True)
class _Sum:
    """What all shards came to."""

    clusters: Counter[str] = field(default_factory=Counter)
    log_objects: Counter[str] = field(default_factory=Counter)
    described: int = 0
    listed: int = 0
    complete: set[str] = field(default_factory=set)
    attention: set[str] = field(default_factory=set)
    seen: dict[str, _Seen] = field(default_factory=dict)
    by_bucket: Counter[str] = field(default_factory=Counter)
    """How many log objects were listed."""
    denied: dict[str, str] = field(default_factory=dict)
    """Which call was denied, by shard."""

    def add(self, done: ShardDone) -> None:
        self.clusters.update(done.clusters)
        self.log_objects.update(done.log_objects)
        self.described += done.described
        self.listed += done.listed
        self.attention.update(done.attention)
        if not done.next_after:
            self.complete.add(done.shard)
        if done.folder is not None:
            cluster_id = done.folder.cluster_id
            seen = self.seen.setdefault(cluster_id, _Seen())
            seen.home = done.folder if done.folder.home else seen.home
            self.by_bucket[done.folder.bucket or ""] += done.listed
            seen.doubt |= bool(done.log_objects.get(Compliance.INSUFFICIENT_DATA))
            if done.denied:
                seen.complete = False
                self.denied[done.shard] = done.denied
            for bad in done.bad:
                seen.bad[bad.finding.rule_id].append(bad)
                self.attention.add(cluster_id)

    def miss(self, shard: Shard) -> None:
        """Note that a shard is not complete."""
        if shard.folder is not None and shard.folder.cluster_id in self.seen:
            self.seen[shard.folder.cluster_id].complete = False


@dataclass(frozen=True, slots=True)
class FinishRescan:
    """Sums a run up."""

    results: RescanResults
    repository: WholeLedger
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    policy: PolicyInForce
    alerts: RescanAlerts
    clock: Callable[[], datetime]
    checked_buckets: tuple[str, ...] = ()
    """The buckets whose objects are looked at; empty when it is all."""

    def __call__(self, rescan: Rescan) -> Mapping[str, str | int]:
        """Enter, compare, write the report, tell, and remember for the next run.

        Returns:
            The run in figures, and where its report is.

        """
        policy, history = self.policy(), self.results.recall()
        if history.execution == rescan.execution:  # a retry of what was cut off at its very end
            return history.answer
        total, failed, denied = self._total(rescan)
        for cluster_id, seen in total.seen.items():
            self._enter(rescan, cluster_id, seen, policy)
        difference = Difference.between(history, self._standing(history, total.attention))
        leaves = _remembered(rescan, history, total.seen, difference)
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
            buckets=covered(leaves, total.by_bucket, self.checked_buckets),
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
            "undetermined": len(difference.undetermined),
            "failed_shards": len(failed),
            "denied_shards": len(denied),
        }
        record_rescan(report)
        self.results.remember(replace(leaves, runs=report.runs, answer=answer))
        return answer

    def _total(
        self, rescan: Rescan
    ) -> tuple[_Sum, tuple[ShardFailed, ...], tuple[ShardDenied, ...]]:
        total = _Sum()
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

    def _enter(self, rescan: Rescan, cluster_id: str, seen: _Seen, policy: Policy) -> None:
        """Enter a cluster's log objects, the ledger asked only where there is something to it."""
        whole = rescan.deep and seen.complete and not seen.doubt
        if not seen.bad and not whole:
            return
        history = self.repository.read(cluster_id)
        extent = Extent.ALL if whole else Extent.AGAIN
        results = [_result(found, rescan.started, extent) for found in seen.bad.values()]
        if whole:
            results += _good(history.records, seen.bad, rescan.started)
        if results:
            known = history.known.cluster if history.known else None
            result = CheckResult(cluster_id, known, results)
            try:
                recorded = self.recorder.record(result, policy, history, decide=plan_notifications)
            except StalePolicyError:
                now = self.policy(force_refresh=True)
                recorded = self.recorder.record(result, now, None, decide=plan_notifications)
            self.dispatcher.dispatch(recorded)

    def _standing(self, history: RescanCheckpoint, attention: Iterable[str]) -> Iterator[Finding]:
        """Read what stands: the index may be a second late, the clusters themselves are not."""
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


def _cluster_id(finding_id: str) -> str:
    return finding_id.rpartition("#")[0].rpartition("/")[2]


def _result(found: list[BadObjects], at: datetime, extent: Extent) -> RuleResult:
    """Put together what the shards say of one rule: what is proven goes before doubt."""
    proven = [each for each in found if each.finding.compliance is Compliance.NON_COMPLIANT]
    parts = proven or found
    first = parts[0].finding
    samples = (each.finding.evidence.get("samples") for each in parts)
    named = (name for each in samples if isinstance(each, (list, tuple)) for name in each)
    objects = (version for each in parts for version in each.objects)
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
    )


def _good(
    records: Mapping[str, FindingRecord], bad: Mapping[str, object], at: datetime
) -> Iterator[RuleResult]:
    """Say of the rules that were broken once that no object breaks them any more."""
    for rule_id, record in records.items():
        if record.kind is Kind.LOG_OBJECTS and record.open and rule_id not in bad:
            finding = replace(record.finding, compliance=Compliance.COMPLIANT)
            yield RuleResult(finding, Kind.LOG_OBJECTS, at, extent=Extent.ALL)


def _remembered(
    rescan: Rescan, history: RescanCheckpoint, seen: Mapping[str, _Seen], difference: Difference
) -> RescanCheckpoint:
    """Say from when on the next run looks for new objects, cluster by cluster."""
    folders = dict(history.folders)
    for cluster_id, each in seen.items():
        home = each.home
        if not each.complete or home is None or home.bucket is None:
            continue
        before = history.folders.get(cluster_id)
        missed = None if home.active else (before and before.missed) or rescan.started
        followed = FolderCheckpoint(home.bucket, home.prefix, rescan.started, missed)
        if followed.over(rescan.started):
            folders.pop(cluster_id, None)
        else:
            folders[cluster_id] = followed
    looked = rescan.scope.log_objects
    return RescanCheckpoint(
        execution=rescan.execution,
        started=rescan.started if looked else history.started,
        open=tuple(sorted(finding.id for finding in difference.open)),
        folders=folders if looked else history.folders,
    )
