"""What a re-scan found, and how that differs from the last one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.rescan import Rescan, RescanMemory, ShardFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The findings that are open now, held against those of the last run."""

    last: str | None
    """The run that is compared with; None when this is the first."""
    new: tuple[Finding, ...]
    still_open: tuple[Finding, ...]
    resolved: tuple[str, ...]
    """By id."""

    @classmethod
    def between(cls, memory: RescanMemory, standing: Iterable[Finding]) -> "Difference":
        """Compare what the last run left with what stands now, the gravest first."""
        ordered = sorted(standing, key=lambda f: (-f.severity.rank, f.rule_id, f.cluster_id))
        before, now = set(memory.open), {finding.id for finding in ordered}
        return cls(
            last=memory.execution,
            new=tuple(f for f in ordered if f.id not in before),
            still_open=tuple(f for f in ordered if f.id in before),
            resolved=tuple(sorted(before - now)),
        )

    @property
    def open(self) -> tuple[Finding, ...]:
        """All that stands."""
        return (*self.new, *self.still_open)

    @property
    def undetermined(self) -> tuple[Finding, ...]:
        """What of it is doubt."""
        return tuple(f for f in self.open if f.compliance is Compliance.INSUFFICIENT_DATA)

    @property
    def exempt(self) -> tuple[Finding, ...]:
        """What of it an exemption covers."""
        return tuple(f for f in self.open if f.status is Status.EXEMPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class RescanReport:
    """The whole of a run."""

    rescan: Rescan
    finished: datetime
    """UTC"""
    place: str
    """Where the report is, an S3 URI."""
    shards: int
    """How many were planned."""
    failed: tuple[ShardFailed, ...]
    clusters: Mapping[str, int] = field(default_factory=dict)
    """How many clusters were judged, by compliance."""
    described: int = 0
    listed: int = 0
    log_objects: Mapping[str, int] = field(default_factory=dict)
    """How many log objects were checked, by compliance."""
    difference: Difference
    advice: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """Say how much of what was planned was looked at, in percent."""
        return 100 * (1 - len(self.failed) / self.shards) if self.shards else 100

    @property
    def compliance(self) -> Compliance:
        """Sum the run up: doubt, and what could not be looked at, is not compliance."""
        proven = Compliance.NON_COMPLIANT
        standing = [f for f in self.difference.open if f.status is not Status.EXEMPT]
        if any(f.compliance is proven for f in standing):
            return proven
        if standing or self.failed:
            return Compliance.INSUFFICIENT_DATA
        return Compliance.COMPLIANT
