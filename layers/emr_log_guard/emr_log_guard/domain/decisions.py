"""Decisions as they are recorded for a year: who decided what, and from which findings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.findings import Finding, Status

KEPT = timedelta(days=366)
"""How long a decision is kept: a year, whichever year it is."""


@dataclass(frozen=True, slots=True)
class FindingState:
    """The state of one finding at the time of a decision."""

    rule_id: str
    compliance: Compliance
    status: Status
    summary: str
    deadline: datetime | None = None

    @classmethod
    def of(cls, finding: Finding) -> "FindingState":
        """Copy it from the finding."""
        return cls(
            finding.rule_id,
            finding.compliance,
            finding.status,
            finding.summary,
            finding.deadline,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision about one cluster."""

    cluster_id: str
    at: datetime
    """UTC"""
    by: str
    """The function that decided."""
    invocation: str
    """The request id, which makes decisions of the same moment distinct."""
    cluster_state: str | None
    """None when EMR did not know the cluster."""
    mode: Mode
    policy_version: int | None
    """None when the strict defaults applied because there was no valid policy."""
    decided: tuple[str, ...]
    """What was decided, as text."""
    findings: tuple[FindingState, ...]

    @property
    def expires(self) -> datetime:
        """When it expires, UTC."""
        return self.at + KEPT


def finding_states(findings: Iterable[Finding]) -> tuple[FindingState, ...]:
    """Record the states of findings, in the rules' order."""
    return tuple(FindingState.of(each) for each in sorted(findings, key=lambda f: f.rule_id))
