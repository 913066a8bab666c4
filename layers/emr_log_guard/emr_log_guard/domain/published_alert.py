"""An alert as it was published."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.decide import Alert
from emr_log_guard.domain.policy import PolicyProblem


@dataclass(frozen=True, slots=True)
class RescanCounts:
    """The counts of a re-scan."""

    new: int
    resolved: int
    undetermined: int
    failed_shards: int


@dataclass(frozen=True, slots=True)
class RescanDone:
    """A finished re-scan."""

    execution: str
    compliance: Compliance
    report: str
    """Where the report is, an S3 URI."""
    counts: RescanCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAlert:
    """An alert, for delivery to a channel."""

    subject: str
    """One line of printable ASCII."""
    text: str
    """The whole of it as plain text."""
    kind: str = ""
    account: str | None = None
    region: str | None = None
    about: Alert | PolicyProblem | RescanDone | None = None
    """None for a kind that this version does not know: then only the text is shown."""
    cluster_tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def severity(self) -> Severity | None:
        """The highest severity of its findings; None without findings."""
        findings = self.about.findings if isinstance(self.about, Alert) else ()
        return max((f.severity for f in findings), key=lambda each: each.rank, default=None)
