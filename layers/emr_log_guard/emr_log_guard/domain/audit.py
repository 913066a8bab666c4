"""An audit: what was found in which accounts and Regions, and what could not be read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from emr_log_guard.domain.clusters import ClusterSummary
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.findings import Finding, overall_of
from emr_log_guard.domain.log_objects import large_bucket_advice
from emr_log_guard.domain.policy import Exemption


class ExitStatus(IntEnum):
    """What the command ends with: a contract that scripts rely on."""

    COMPLIANT = 0
    NON_COMPLIANT = 1
    NO_ACCESS = 2
    """Nothing at all could be read. Wrong usage ends with the same status."""
    UNDETERMINED = 3
    """Nothing is provably broken, but something could not be determined."""


@dataclass(frozen=True, slots=True)
class AuditedCluster:
    """A cluster, and what the rules say of it."""

    cluster: ClusterSummary
    findings: tuple[Finding, ...] = ()
    """A finding a rule, whatever its compliance; those that are exempt say so."""
    unresolved: tuple[str, ...] = ()
    """What of the whole cluster, or of its objects, could not be read: which call said what."""
    objects: int = 0
    """How many of its log objects were checked."""
    listed: Mapping[str, int] = field(default_factory=dict)
    """How many were listed, by bucket; more than were checked where they were sampled."""

    @property
    def compliance(self) -> Compliance:
        """Sum up the findings that no exemption covers; what could not be read is doubt."""
        doubt = [Compliance.INSUFFICIENT_DATA] if self.unresolved else []
        return overall([overall_of(self.findings), *doubt])


@dataclass(frozen=True, slots=True)
class AuditedPlace:
    """An account and Region that was asked about."""

    region: str
    role_arn: str | None = None
    """The role that was assumed to read it; None for the caller's own account."""
    account: str | None = None
    """Twelve digits; None as long as nothing told."""
    problem: str | None = None
    """Why its clusters could not be listed, or not all of them: which call said what."""
    listed: int = 0
    """How many clusters were found."""


@dataclass(frozen=True, slots=True)
class RuleNotEvaluated:
    """A rule that the audit did not judge by: silence must not read as compliance."""

    id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """All that an audit learnt."""

    started: datetime
    """UTC"""
    finished: datetime
    """UTC"""
    places: tuple[AuditedPlace, ...]
    clusters: tuple[AuditedCluster, ...]
    rules: tuple[str, ...]
    """The ids of the rules that it judged by."""
    not_evaluated: tuple[RuleNotEvaluated, ...]
    api_calls: Mapping[str, int]
    """Requests sent, those tried again among them, by IAM's name of the service and operation."""
    interrupted: bool = False
    missing: tuple[str, ...] = ()
    """Clusters that were asked for by id and are in none of the places."""
    exemptions: tuple[Exemption, ...] = ()
    """All that the policy has, those that ended among them."""

    @property
    def totals(self) -> Mapping[Compliance, int]:
        """Count the clusters by their compliance, all four named."""
        counts = dict.fromkeys(Compliance, 0)
        for audited in self.clusters:
            counts[audited.compliance] += 1
        return counts

    @property
    def problems(self) -> tuple[str, ...]:
        """Say what could not be read beyond single clusters, in a line each."""
        notified = [
            f"{place.region}{f' as {place.role_arn}' if place.role_arn else ''}: {place.problem}"
            for place in self.places
            if place.problem
        ]
        return (*notified, *self.gaps)

    @property
    def gaps(self) -> tuple[str, ...]:
        """Say which of it are about no place."""
        notified = [f"cluster {missing} was not found" for missing in self.missing]
        if self.interrupted:
            listed = sum(place.listed for place in self.places)
            notified.append(
                f"the audit was interrupted: {len(self.clusters)} of {listed} clusters that it "
                "had found were judged, and there may be more"
            )
        return tuple(notified)

    @property
    def advice(self) -> tuple[str, ...]:
        """Say which buckets are too large for audits, as a re-scan does."""
        listed: Counter[str] = Counter()
        for audited in self.clusters:
            listed.update(audited.listed)
        return large_bucket_advice(listed)

    @property
    def exit_status(self) -> ExitStatus:
        """Say what the command ends with."""
        totals = self.totals
        unreadable = all(place.problem for place in self.places)
        if totals[Compliance.NON_COMPLIANT]:
            return ExitStatus.NON_COMPLIANT
        if unreadable and not self.clusters and not self.interrupted:
            return ExitStatus.NO_ACCESS
        if totals[Compliance.INSUFFICIENT_DATA] or self.problems:
            return ExitStatus.UNDETERMINED
        return ExitStatus.COMPLIANT
