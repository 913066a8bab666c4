"""Outcomes of rules, and findings: what is wrong with one resource by one rule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from emr_log_guard.domain.compliance import Compliance, Severity, overall

type Evidence = Mapping[str, str | int | bool | tuple[str, ...] | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule says of the facts."""

    compliance: Compliance
    summary: str
    """One sentence with the evidence."""


def compliant(summary: str) -> Outcome:
    """Say that the rule applies and is kept."""
    return Outcome(Compliance.COMPLIANT, summary)


def non_compliant(summary: str) -> Outcome:
    """Say that the rule applies and is provably broken."""
    return Outcome(Compliance.NON_COMPLIANT, summary)


def not_applicable(summary: str) -> Outcome:
    """Say that the rule's premise is missing; another rule reports the cause, if there is one."""
    return Outcome(Compliance.NOT_APPLICABLE, summary)


def insufficient_data(summary: str) -> Outcome:
    """Say that a fact which the rule needs could not be read."""
    return Outcome(Compliance.INSUFFICIENT_DATA, summary)


class Status(StrEnum):
    """Where a finding stands."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"
    EXEMPT = "EXEMPT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule's result for one cluster. Its fields are a contract: other people's tools read them.

    Ten thousand log objects of one cluster that break one rule are one finding, with a count
    (`occurrences`) and samples (in `evidence`).
    """

    id: str
    """`<cluster arn>#<rule id>`"""
    rule_id: str
    rule_name: str
    compliance: Compliance
    severity: Severity
    status: Status
    account: str
    region: str
    cluster_id: str
    cluster_name: str | None
    cluster_arn: str
    launched_by: str | None
    summary: str
    evidence: Evidence
    remediation: str
    """What to run."""
    first_seen: datetime
    """UTC"""
    last_seen: datetime
    """UTC"""
    occurrences: int
    deadline: datetime | None
    """When the cluster will be terminated, UTC; None when it will not."""
    runbook: str

    @property
    def needs_attention(self) -> bool:
        """Whether somebody has to be told: broken, or could not be determined."""
        return self.compliance in (Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA)


def overall_of(findings: Iterable[Finding]) -> Compliance:
    """Sum up the findings that no exemption covers."""
    return overall(f.compliance for f in findings if f.status is not Status.EXEMPT)
