"""What people are to be shown: an alert as it was published."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.decide import Alert
from emr_log_guard.domain.policy import PolicyProblem


@dataclass(frozen=True, slots=True)
class RescanCounts:
    """How many findings a re-scan left, and what it could not look at."""

    new: int
    resolved: int
    undetermined: int
    failed_shards: int


@dataclass(frozen=True, slots=True)
class RescanDone:
    """A re-scan that came to its end."""

    execution: str
    compliance: Compliance
    report: str
    """Where the report is, an S3 URI."""
    counts: RescanCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAlert:
    """An alert, for whoever shows it to people."""

    subject: str
    """One line of printable ASCII."""
    text: str
    """The whole of it as plain text."""
    kind: str = ""
    account: str | None = None
    region: str | None = None
    about: Alert | PolicyProblem | RescanDone | None = None
    """None when it is of a kind that this version does not know: the text says it all."""
    cluster_tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def severity(self) -> Severity | None:
        """How grave the gravest finding is; None when it is about none."""
        findings = self.about.findings if isinstance(self.about, Alert) else ()
        return max((f.severity for f in findings), key=lambda each: each.rank, default=None)
