"""Outcomes of rules, and findings: the result of one rule for one cluster, or one log bucket."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from emr_log_guard.domain.arn import bucket_named
from emr_log_guard.domain.compliance import Compliance, Severity, overall
from emr_log_guard.domain.unresolved import Unresolved

type Evidence = Mapping[str, str | int | bool | tuple[str, ...] | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a rule for some facts."""

    compliance: Compliance
    summary: str
    """One sentence with the evidence."""
    once_lasting: Compliance | None = None
    """What it becomes once it has lasted; None unless it is based on a fact that AWS documents as
    transient or eventually consistent."""
    over: bool = False
    """Whether it is only about the past, such as a finished step: terminating the cluster would
    prevent nothing."""

    @property
    def broken(self) -> bool:
        """Whether the rule is violated, or will be if the fact lasts."""
        return Compliance.NON_COMPLIANT in (self.compliance, self.once_lasting)


def compliant(summary: str) -> Outcome:
    """The rule applies, and the facts comply."""
    return Outcome(Compliance.COMPLIANT, summary)


def non_compliant(summary: str) -> Outcome:
    """The rule applies, and a violation is confirmed."""
    return Outcome(Compliance.NON_COMPLIANT, summary)


def not_applicable(summary: str) -> Outcome:
    """The rule does not apply; another rule reports the cause, if there is one."""
    return Outcome(Compliance.NOT_APPLICABLE, summary)


def insufficient_data(summary: str) -> Outcome:
    """A fact that the rule needs could not be read."""
    return Outcome(Compliance.INSUFFICIENT_DATA, summary)


def undetermined(fact: Unresolved) -> Outcome:
    """This fact, which the rule needs, could not be read, perhaps only temporarily."""
    lasting = Compliance.INSUFFICIENT_DATA if fact.transient else None
    return Outcome(Compliance.INSUFFICIENT_DATA, fact.reason, once_lasting=lasting)


def transient_violation(summary: str) -> Outcome:
    """The rule is violated if the fact lasts, which AWS documents as transient.

    It is NON_COMPLIANT once it has lasted `enforcement.transient_minutes`.
    """
    outcome = Compliance.INSUFFICIENT_DATA
    return Outcome(outcome, summary, once_lasting=Compliance.NON_COMPLIANT)


def past_violation(summary: str) -> Outcome:
    """The rule was violated in the past: evidence, never a reason to terminate."""
    return Outcome(Compliance.NON_COMPLIANT, summary, over=True)


class Status(StrEnum):
    """The status of a finding."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"
    EXEMPT = "EXEMPT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule's result for one cluster, or one log bucket. Its fields are a contract.

    Ten thousand log objects of one cluster that break one rule are one finding, with a count
    (`occurrences`) and samples (in `evidence`).
    """

    id: str
    """`<cluster ARN>#<rule id>`"""
    rule_id: str
    rule_name: str
    compliance: Compliance
    severity: Severity
    status: Status
    account: str
    region: str
    cluster_id: str
    """The cluster's id. Of a finding about a bucket this and `cluster_arn` are the bucket's ARN."""
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
    once_lasting: Compliance | None = None
    """What it becomes once it has lasted; None unless it is transient."""
    over: bool = False
    """Whether it is only about the past: it is never a reason to terminate."""

    @property
    def bucket(self) -> str | None:
        """The name of the log bucket that it is about; None when it is about a cluster."""
        return bucket_named(self.cluster_arn)

    @property
    def unread_for_now(self) -> bool:
        """Whether it could not be determined only because AWS cannot give a fact for now."""
        return self.once_lasting is Compliance.INSUFFICIENT_DATA

    @property
    def needs_attention(self) -> bool:
        """Whether it is a violation, or could not be determined."""
        return self.compliance.needs_attention


def overall_of(findings: Iterable[Finding]) -> Compliance:
    """The overall result of the findings that are not exempt."""
    return overall(f.compliance for f in findings if f.status is not Status.EXEMPT)
