"""The result of an audit: findings by account and Region, and what could not be read."""

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
    """The exit status of the command: a contract."""

    COMPLIANT = 0
    NON_COMPLIANT = 1
    NO_ACCESS = 2
    """Nothing at all could be read. Wrong usage ends with the same status."""
    UNDETERMINED = 3
    """No violation was found, but something could not be determined."""


@dataclass(frozen=True, slots=True)
class AuditedCluster:
    """A cluster, and its findings."""

    cluster: ClusterSummary
    findings: tuple[Finding, ...] = ()
    """One finding per rule, with any compliance; exempt ones have status EXEMPT."""
    unresolved: tuple[str, ...] = ()
    """What could not be read about the cluster or its objects: the call and its error."""
    objects: int = 0
    """How many of its log objects were checked."""
    listed: Mapping[str, int] = field(default_factory=dict)
    """How many were listed, by bucket; more than were checked if they were sampled."""

    @property
    def compliance(self) -> Compliance:
        """The overall result without exempt findings; unread facts are INSUFFICIENT_DATA."""
        unread = [Compliance.INSUFFICIENT_DATA] if self.unresolved else []
        return overall([overall_of(self.findings), *unread])


@dataclass(frozen=True, slots=True)
class AuditTarget:
    """An account and Region of the audit."""

    region: str
    role_arn: str | None = None
    """The role that was assumed to read it; None for the caller's own account."""
    account: str | None = None
    """Twelve digits; None while unknown."""
    problem: str | None = None
    """Why its clusters could not be listed, or not all of them: the call and its error."""
    listed: int = 0
    """How many clusters were found."""


@dataclass(frozen=True, slots=True)
class RuleNotEvaluated:
    """A rule that was not evaluated: silence must not read as compliance."""

    id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The whole result of an audit."""

    started: datetime
    """UTC"""
    finished: datetime
    """UTC"""
    places: tuple[AuditTarget, ...]
    clusters: tuple[AuditedCluster, ...]
    rules: tuple[str, ...]
    """The ids of the rules that were evaluated."""
    not_evaluated: tuple[RuleNotEvaluated, ...]
    api_calls: Mapping[str, int]
    """Requests sent, retries included, by IAM's name of the service and operation."""
    interrupted: bool = False
    missing: tuple[str, ...] = ()
    """Clusters that were requested by id and not found."""
    exemptions: tuple[Exemption, ...] = ()
    """All exemptions of the policy, expired ones included."""

    @property
    def totals(self) -> Mapping[Compliance, int]:
        """Count the clusters by compliance, all four types included."""
        counts = dict.fromkeys(Compliance, 0)
        for audited in self.clusters:
            counts[audited.compliance] += 1
        return counts

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read beyond single clusters, one line each."""
        unread = [
            f"{place.region}{f' as {place.role_arn}' if place.role_arn else ''}: {place.problem}"
            for place in self.places
            if place.problem
        ]
        return (*unread, *self.gaps)

    @property
    def gaps(self) -> tuple[str, ...]:
        """The problems that are not about one account and Region."""
        gaps = [f"cluster {missing} was not found" for missing in self.missing]
        if self.interrupted:
            listed = sum(place.listed for place in self.places)
            gaps.append(
                f"the audit was interrupted: {len(self.clusters)} of {listed} clusters found "
                "were evaluated, and there may be more"
            )
        return tuple(gaps)

    @property
    def advice(self) -> tuple[str, ...]:
        """Name the buckets that are too large for audits, as a re-scan does."""
        listed: Counter[str] = Counter()
        for audited in self.clusters:
            listed.update(audited.listed)
        return large_bucket_advice(listed)

    @property
    def exit_status(self) -> ExitStatus:
        """The exit status of the command."""
        totals = self.totals
        unreadable = self.missing or all(place.problem for place in self.places)
        if totals[Compliance.NON_COMPLIANT]:
            return ExitStatus.NON_COMPLIANT
        if unreadable and not self.clusters and not self.interrupted:
            return ExitStatus.NO_ACCESS
        if totals[Compliance.INSUFFICIENT_DATA] or self.problems:
            return ExitStatus.UNDETERMINED
        return ExitStatus.COMPLIANT
