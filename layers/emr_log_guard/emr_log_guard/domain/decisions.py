"""Decisions as they are written down for a year: who decided what, on what grounds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.findings import Finding, Status

KEPT = timedelta(days=366)
"""How long a decision is kept: a year, whichever year it is."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a decision rested on: how one rule's finding stood."""

    rule_id: str
    compliance: Compliance
    status: Status
    summary: str
    deadline: datetime | None = None

    @classmethod
    def of(cls, finding: Finding) -> "Ground":
        """Take it from the finding."""
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
    """What tells this decision from others of the same moment."""
    cluster_state: str | None
    """None when EMR did not know the cluster."""
    mode: Mode
    policy_version: int | None
    """None when the strict defaults held because there was no policy to go by."""
    decided: tuple[str, ...]
    """What was decided, in words."""
    grounds: tuple[Ground, ...]

    @property
    def expires(self) -> datetime:
        """When it may be forgotten."""
        return self.at + KEPT


def grounds_of(findings: Iterable[Finding]) -> tuple[Ground, ...]:
    """Write down how findings stood, in the rules' order."""
    return tuple(Ground.of(each) for each in sorted(findings, key=lambda f: f.rule_id))
