"""What every chat shows of an alert, in any format."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.published_alert import PublishedAlert, RescanDone
from emr_log_guard.rendering.alerts.text import REENCRYPTED, evidence_lines
from emr_log_guard.rendering.escape import plain

_SIGNS = {
    Severity.CRITICAL: "\N{LARGE RED CIRCLE}",
    Severity.HIGH: "\N{LARGE ORANGE CIRCLE}",
    Severity.MEDIUM: "\N{LARGE YELLOW CIRCLE}",
    Severity.LOW: "\N{LARGE BLUE CIRCLE}",
}
_ALARM = "\N{POLICE CARS REVOLVING LIGHT}"
_UNDETERMINED = "\N{WHITE QUESTION MARK ORNAMENT}"
_GOOD = "\N{WHITE HEAVY CHECK MARK}"
_KINDS = {
    AlertKind.FINDING_RESOLVED: _GOOD,
    AlertKind.ENFORCEMENT_SCHEDULED: "\N{HOURGLASS WITH FLOWING SAND}",
    AlertKind.ENFORCEMENT_DONE: "\N{OCTAGONAL SIGN}",
    AlertKind.ENFORCEMENT_SKIPPED: "\N{MEDIUM WHITE CIRCLE}",
    AlertKind.ENFORCEMENT_FAILED: _ALARM,
    AlertKind.REMEDIATION_DONE: _GOOD,
    AlertKind.REMEDIATION_FAILED: _ALARM,
    AlertKind.POLICY_INVALID: _ALARM,
    AlertKind.POLICY_CHANGED: "\N{MEMO}",
}
_NO_LONGER_EXEMPTIBLE = frozenset(
    {
        NextStep.RESOLVED,
        NextStep.CLUSTER_TERMINATED,
        NextStep.TERMINATED,
        NextStep.TERMINATION_CANCELLED,
        NextStep.LOGS_REENCRYPTED,
    }
)
_FIRST_ALERT = timedelta(minutes=1)
"""A finding no older than this is being alerted for the first time."""


def sign(published: PublishedAlert) -> str:
    """Return a coloured sign that shows the severity at a glance."""
    match published.about:
        case RescanDone(compliance=compliance, counts=counts):
            if compliance is Compliance.NON_COMPLIANT or counts.new:
                return _SIGNS[Severity.HIGH]
            undetermined = compliance is Compliance.INSUFFICIENT_DATA or counts.undetermined
            return _UNDETERMINED if undetermined or counts.failed_shards else _GOOD
        case _:
            for kind, shown in _KINDS.items():
                if published.kind == kind:
                    return shown
            about = published.about
            return _sign_of(about.findings) if isinstance(about, Alert) else _UNDETERMINED


def _sign_of(findings: Sequence[Finding]) -> str:
    """A confirmed violation outweighs undetermined findings."""
    order = {finding.severity.rank: finding.severity for finding in findings}
    confirmed = [f.severity.rank for f in findings if f.compliance is Compliance.NON_COMPLIANT]
    most_severe = max(confirmed or order, default=None)
    return _UNDETERMINED if most_severe is None else _SIGNS[order[most_severe]]


def exemptible(alert: Alert) -> tuple[Finding, ...]:
    """Return the findings for which an exemption would still make a difference."""
    if alert.bucket or alert.next_step in _NO_LONGER_EXEMPTIBLE:
        return ()
    return tuple(f for f in alert.findings if f.status is Status.OPEN and f.needs_attention)


def first_seen(alert: Alert) -> datetime | None:
    """Return when the earliest of the findings was first seen, UTC; None when it is new.

    A finding whose objects were re-encrypted in time was never alerted before.
    """
    if alert.kind is AlertKind.REMEDIATION_DONE:
        return None
    known = [f.first_seen for f in alert.findings if f.last_seen - f.first_seen > _FIRST_ALERT]
    repeated = alert.kind not in (AlertKind.FINDING_OPENED, AlertKind.ENFORCEMENT_SCHEDULED)
    return min(known or ([f.first_seen for f in alert.findings] if repeated else []), default=None)


def shortened(text: str, longest: int, *, keep: str = "") -> str:
    """Show a text, in one line unless line breaks are to be kept, and how much was left out."""
    shown = plain(text, keep=keep)
    if len(shown) <= longest:
        return shown
    left_out = f"… ({len(shown) - longest:,} more characters)"
    return f"{shown[:longest]}{left_out}"


def past(alert: Alert, finding: Finding) -> bool:
    """Whether an alert says that nothing is left to be done about what it shows of a finding."""
    return finding.status is Status.RESOLVED or alert.kind is AlertKind.REMEDIATION_DONE


def verdict(alert: Alert, finding: Finding) -> str:
    """Return the severity of a finding, or that it is remediated or undetermined."""
    if alert.kind is AlertKind.REMEDIATION_DONE:
        return REENCRYPTED
    if finding.status is Status.RESOLVED:
        return "RESOLVED"
    if finding.compliance is Compliance.INSUFFICIENT_DATA:
        return "COULD NOT BE DETERMINED"
    return str(finding.severity)


def below_headline(published: PublishedAlert, longest: int) -> str:
    """Return the text of an alert below its headline, and how much of it was left out."""
    _, _, rest = published.text.partition("\n")
    return shortened(rest.strip("\n"), longest, keep="\n")


def evidence_of(finding: Finding, longest: int) -> str:
    """Return a finding's evidence in lines, and how much of it was left out."""
    return shortened("\n".join(map(plain, evidence_lines(finding))), longest, keep="\n")


def rule_ids(findings: Sequence[Finding]) -> str:
    """Name the rules, separated by commas."""
    return ", ".join(finding.rule_id for finding in findings)
