"""The result of a re-scan, and the difference from the last one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from emr_log_guard.domain.audit import RuleNotEvaluated
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import Exemption
from emr_log_guard.domain.rescan import (
    RUNS,
    PastRun,
    Rescan,
    RescanCheckpoint,
    ShardDenied,
    ShardFailed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The findings that are open now, compared with those of the last run.

    A finding that an exemption covers is not open: it is counted as exempt, and as nothing else.
    """

    last: str | None
    """The run that is compared with; None when this is the first."""
    new: tuple[Finding, ...]
    still_open: tuple[Finding, ...]
    resolved: tuple[str, ...]
    """By id."""
    exempt: tuple[Finding, ...]

    @classmethod
    def between(cls, history: RescanCheckpoint, unresolved: Iterable[Finding]) -> "Difference":
        """Compare what the last run left with what is not resolved now, the most severe first."""
        ordered = sorted(unresolved, key=lambda f: (-f.severity.rank, f.rule_id, f.cluster_id))
        open_now = [finding for finding in ordered if finding.status is not Status.EXEMPT]
        before, now = set(history.open), {finding.id for finding in ordered}
        return cls(
            last=history.execution,
            new=tuple(f for f in open_now if f.id not in before),
            still_open=tuple(f for f in open_now if f.id in before),
            resolved=tuple(sorted(before - now)),
            exempt=tuple(f for f in ordered if f.status is Status.EXEMPT),
        )

    @property
    def open(self) -> tuple[Finding, ...]:
        """Return the new findings and those that are still open."""
        return (*self.new, *self.still_open)

    @property
    def unresolved(self) -> tuple[Finding, ...]:
        """Return the open findings and the exempt ones."""
        return (*self.open, *self.exempt)

    @property
    def undetermined(self) -> tuple[Finding, ...]:
        """Return the open findings that could not be determined."""
        return tuple(f for f in self.open if f.compliance is Compliance.INSUFFICIENT_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketCoverage:
    """The coverage of a log bucket by re-scans."""

    bucket: str
    clusters: int = 0
    """How many clusters' folders are tracked in it."""
    listed: int = 0
    """How many log objects this run listed."""
    complete: datetime | None = None
    """When the earliest last scan of its folders started, UTC; None: not all are scanned yet."""
    latest: datetime | None = None
    """When the latest scan of any of its folders started, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescanReport:
    """The report of a run."""

    rescan: Rescan
    finished: datetime
    """UTC"""
    place: str
    """Where the report is, an S3 URI."""
    shards: int
    """How many were planned."""
    failed: tuple[ShardFailed, ...]
    denied: tuple[ShardDenied, ...] = ()
    clusters: Mapping[str, int] = field(default_factory=dict)
    """How many clusters were evaluated, by compliance."""
    described: int = 0
    listed: int = 0
    log_objects: Mapping[str, int] = field(default_factory=dict)
    """How many log objects were checked, by compliance."""
    difference: Difference
    advice: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    """All exemptions of the policy, expired ones included."""
    checked_buckets: tuple[str, ...] = ()
    """The only buckets whose objects are checked; empty: all."""
    buckets: tuple[BucketCoverage, ...] = ()
    not_evaluated: tuple[RuleNotEvaluated, ...] = ()
    """The rules that were not evaluated, or not everywhere."""
    past: tuple[PastRun, ...] = ()
    """The runs before it, the oldest first."""

    @property
    def page(self) -> str:
        """Where the HTML report is, an S3 URI."""
        return f"{self.place.removesuffix('.json')}.html"

    @property
    def figures(self) -> PastRun:
        """The figures of the run, for the trend."""
        difference = self.difference
        broken = [f for f in difference.open if f.compliance is Compliance.NON_COMPLIANT]
        return PastRun(
            name=self.rescan.name,
            started=self.rescan.started,
            scope=self.rescan.scope,
            deep=self.rescan.deep,
            compliance=self.compliance,
            broken=Counter(str(f.severity) for f in broken),
            undetermined=len(difference.undetermined),
            exempt=len(difference.exempt),
            new=len(difference.new),
            resolved=len(difference.resolved),
            failed_shards=len(self.failed),
        )

    @property
    def runs(self) -> tuple[PastRun, ...]:
        """The last RUNS runs, ending with this one, even if it was finished before."""
        before = (run for run in self.past if run.name != self.rescan.name)
        return (*before, self.figures)[-RUNS:]

    @property
    def coverage(self) -> float:
        """The share of planned shards that were scanned, in percent."""
        missed = len(self.failed) + len(self.denied)
        return 100 * (1 - missed / self.shards) if self.shards else 100

    @property
    def compliance(self) -> Compliance:
        """The overall result: what could not be determined or read is not compliance."""
        proven = Compliance.NON_COMPLIANT
        if any(f.compliance is proven for f in self.difference.open):
            return proven
        if self.difference.open or self.failed or self.denied:
            return Compliance.INSUFFICIENT_DATA
        return Compliance.COMPLIANT
