"""Decisions as they are recorded for a year: who decided what, and from which findings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.findings import Finding, Status

CONCURRENT = timedelta(minutes=3)
"""How far apart two decisions may be that invocations made beside each other."""
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

    def repeated_by(self, later: "Decision") -> bool:
        """Say whether a later decision was made beside this one, and adds nothing to it."""
        return (
            later.at - self.at < CONCURRENT
            and set(later.decided) <= set(self.decided)
            and (later.by, later.policy_version) == (self.by, self.policy_version)
            and later.findings == self.findings
        )


def distinct(decisions: Iterable[Decision]) -> Iterator[Decision]:
    """Leave out what an invocation decided again because it ran beside another one.

    Several events about a cluster arrive within seconds. Each invocation decides by itself and
    writes that down first; what it decides is then done once.

    Args:
        decisions: The decisions about one cluster.

    Returns:
        Each decision once, the earliest first.

    """
    last: Decision | None = None
    for decision in sorted(decisions, key=lambda each: each.at):
        if last is None or not last.repeated_by(decision):
            last = decision
            yield decision


def finding_states(findings: Iterable[Finding]) -> tuple[FindingState, ...]:
    """Record the states of findings, in the rules' order."""
    return tuple(FindingState.of(each) for each in sorted(findings, key=lambda f: f.rule_id))
