"""An alert as plain text: what, where, why, what happens next, and the fix."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.rendering.escape import ascii_line, plain
from emr_log_guard.rules import ALL_RULES

_SUBJECT_LIMIT = 99
"""https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
WHY = {rule.id: rule.why for rule in ALL_RULES}
"""Why each rule matters, by its id."""
_CONSOLES = {
    "aws": "aws.amazon.com",
    "aws-cn": "amazonaws.cn",
    "aws-us-gov": "amazonaws-us-gov.com",
}
_NAME_LIMIT = 38
"""Characters of a cluster's name in the headline: the rest must fit on the line, too."""
_REPEATED = {
    AlertKind.FINDING_OPENED: "",
    AlertKind.FINDING_REOPENED: "again ",
    AlertKind.FINDING_REMINDER: "still ",
}
_HEADLINES = {
    NextStep.TERMINATION_REQUESTED: "is about to be terminated",
    NextStep.TERMINATION_SCHEDULED: "will be terminated at {when}",
    NextStep.TERMINATION_CANCELLED: "will not be terminated",
    NextStep.TERMINATED: "was terminated",
    NextStep.STILL_RUNNING: "is still running 15 minutes after its termination was requested",
    NextStep.SKIPPED_PROTECTED: "was not terminated: it is termination-protected",
    NextStep.SKIPPED_NO_LONGER_REQUIRED: "was not terminated: termination is no longer required",
    NextStep.SKIPPED_SUPPRESSED: "was not terminated: suppressed in Security Hub",
    NextStep.SKIPPED_UNDETERMINED: "was not terminated: a required fact could not be read",
    NextStep.SKIPPED_NOT_NOTIFIED: "is not terminated yet: no notification was accepted",
    NextStep.TERMINATION_REFUSED: "could not be terminated",
}
_FIX_UNDETERMINED = "# Let the guard read the missing fact, or check it manually: see the runbook."
_NEXT = {
    NextStep.TERMINATION_REQUESTED: (
        "The cluster will be terminated now, unless re-evaluation clears it."
    ),
    NextStep.TERMINATION_SCHEDULED: (
        "The cluster will be terminated at {when}, unless it is remediated by then."
    ),
    NextStep.TERMINATION_CANCELLED: (
        "For now, the cluster will not be terminated for this: it was remediated or exempted, or "
        "the policy was changed."
    ),
    NextStep.NOTHING_IN_ALERT_MODE: (
        "The guard takes no action on the cluster: the mode is alert."
    ),
    NextStep.NOTHING_ALLOWED_IN_STACK: (
        "The guard takes no action on the cluster: the mode is enforce, but this stack was "
        "deployed without EnforcementAllowed."
    ),
    NextStep.NOTHING_WITHOUT_POLICY: (
        "No termination is decided: the stored policy is invalid or could not be "
        "read. The last valid one is used to evaluate and to alert."
    ),
    NextStep.NOTHING_ENFORCED: (
        "The guard takes no action on the cluster: the mode is enforce, but no finding is "
        "NON_COMPLIANT, HIGH, of a rule in mode enforce, and listed in the policy's "
        "enforcement.rules."
    ),
    NextStep.RESOLVED: "No further action is needed.",
    NextStep.CLUSTER_TERMINATED: "The cluster is terminating or already terminated.",
    NextStep.TERMINATED: "EMR terminated the cluster at the guard's request.",
    NextStep.STILL_RUNNING: (
        "EMR accepted the request to terminate the cluster 15 minutes ago, but it is still "
        "running. Investigate, and terminate it manually."
    ),
    NextStep.SKIPPED_PROTECTED: (
        "The cluster was left running: its termination protection is on, and the guard respects "
        "it. Fix the cluster, or turn off the protection and terminate it yourself."
    ),
    NextStep.SKIPPED_NO_LONGER_REQUIRED: (
        "The cluster was left running: re-evaluation found that termination is no longer required."
    ),
    NextStep.SKIPPED_SUPPRESSED: (
        "The cluster was left running: the finding is suppressed in Security Hub. A suppression "
        "has no expiry, reason or approver: exempt the cluster instead, or lift the suppression."
    ),
    NextStep.SKIPPED_UNDETERMINED: (
        "The cluster was not terminated: a fact that its termination depends on could not be read. "
        "It is re-evaluated within an hour."
    ),
    NextStep.SKIPPED_NOT_NOTIFIED: (
        "The cluster is not terminated until a notification of the finding has been accepted."
    ),
    NextStep.TERMINATION_REFUSED: (
        "The cluster is still running: EMR refused to terminate it. Terminate it manually."
    ),
}


def alert_subject(alert: Alert) -> str:
    """Write the headline: one line of printable ASCII of at most 99 characters."""
    return ascii_line(_headline(alert), _SUBJECT_LIMIT)


def alert_text(alert: Alert) -> str:
    """Write the whole alert as plain text."""
    return "\n".join(_lines(alert)) + "\n"


def _headline(alert: Alert) -> str:
    name = _shortened(alert.cluster_name or cluster_id(alert))
    if alert.kind is AlertKind.FINDING_RESOLVED:
        return f"[RESOLVED] EMR cluster {name}: {_rules(alert.findings)}"
    if alert.kind not in _REPEATED:
        return f"EMR cluster {name} {_HEADLINES[alert.next_step].format(when=_when(alert))}"
    again = _REPEATED[alert.kind]
    broken = [f for f in alert.findings if f.compliance is Compliance.NON_COMPLIANT]
    if broken:
        return f"[{broken[0].severity}] EMR cluster {name} {again}violates {_rules(broken)}"
    undetermined = f"{again}could not determine {_rules(alert.findings)}"
    return f"[{alert.findings[0].severity}] EMR cluster {name}: {undetermined}"


def _rules(findings: Sequence[Finding]) -> str:
    names = [f"{finding.rule_id} {finding.rule_name}" for finding in findings]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_LIMIT else f"{name[:_NAME_LIMIT]}..."


def cluster_id(alert: Alert) -> str:
    """Return the id of the cluster."""
    return alert.cluster_arn.rpartition("/")[2]


def _lines(alert: Alert) -> Iterator[str]:
    arn = Arn.parse(alert.cluster_arn)
    account, region = (arn.account, arn.region) if arn else ("unknown", "unknown")
    name = (
        f"{plain(alert.cluster_name)} ({cluster_id(alert)})"
        if alert.cluster_name
        else cluster_id(alert)
    )
    launched_by = sorted({f.launched_by for f in alert.findings if f.launched_by})
    yield plain(_headline(alert))
    yield ""
    yield f"Cluster      {name}"
    yield f"Account      {account}, {region}"
    if launched_by:
        yield f"Launched by  {plain(', '.join(launched_by))}"
    yield f"Console      {console_link(alert)}"
    yield f"Next         {_next(alert)}"
    if alert.detail:
        yield f"Detail       {plain(alert.detail)}"
    for expired in alert.expired_exemptions:
        yield (
            f"Exemption    expired on {expired.until}, for {', '.join(sorted(expired.rules))}: "
            f"{plain(expired.reason)} (approved by {plain(expired.approved_by)})"
        )
    for index, finding in enumerate(alert.findings):
        yield ""
        yield from finding_lines(finding, alert.findings[:index])


def _next(alert: Alert) -> str:
    text = next_step_text(alert, _when(alert))
    if alert.next_step is not NextStep.TERMINATION_SCHEDULED:
        return text
    command = exempt_command(alert, [f for f in alert.findings if f.deadline])
    return f"{text} To prevent this: {command}, or set the policy's mode to alert."


def next_step_text(alert: Alert, when: str) -> str:
    """Say what happens to the cluster now; `when` is the deadline as text."""
    return _NEXT[alert.next_step].format(when=when)


def exempt_command(alert: Alert, findings: Iterable[Finding]) -> str:
    """Write the command that exempts the cluster from the rules of these findings."""
    rules = " ".join(f"--rule {finding.rule_id}" for finding in findings)
    return (
        f"emr-log-guard exempt --cluster {cluster_id(alert)} {rules} "
        "--until YYYY-MM-DD --reason WHY"
    )


def deadline_of(alert: Alert) -> datetime | None:
    """Return when the cluster will be terminated; None when it will not be, or at once."""
    return min((f.deadline for f in alert.findings if f.deadline), default=None)


def _when(alert: Alert) -> str:
    deadline = deadline_of(alert)
    return f"{deadline:%Y-%m-%d %H:%M:%S} UTC" if deadline else "once"


def finding_lines(finding: Finding, above: Sequence[Finding]) -> Iterator[str]:
    """Write a finding. Evidence that a finding above already has is not repeated."""
    could_not = finding.compliance is Compliance.INSUFFICIENT_DATA
    resolved = finding.status is Status.RESOLVED
    verdict = "COULD NOT BE DETERMINED" if could_not else finding.severity
    if resolved:
        verdict = "RESOLVED"
    yield f"{finding.rule_id} {finding.rule_name}: {verdict}"
    if resolved:
        yield f"  Was      {plain(finding.summary)}"
        yield f"  Open     since {finding.first_seen:%Y-%m-%d %H:%M} UTC"
        return
    yield f"  What     {plain(finding.summary)}"
    yield f"  Why      {WHY[finding.rule_id]}"
    same = next((other.rule_id for other in above if other.evidence == finding.evidence), None)
    if same:
        yield f"  Evidence as for {same}"
    else:
        yield from _labelled("Evidence", evidence_lines(finding))
    yield from _labelled("Fix", fix_of(finding).splitlines())
    yield f"  Runbook  {finding.runbook}"


def fix_of(finding: Finding) -> str:
    """Write what to run; empty when there is nothing to run."""
    undetermined = finding.compliance is Compliance.INSUFFICIENT_DATA
    return finding.remediation or (_FIX_UNDETERMINED if undetermined else "")


def evidence_lines(finding: Finding) -> Iterator[str]:
    """Write the evidence of a finding; fields without a value are left out."""
    for name, value in finding.evidence.items():
        if value not in (None, (), 0):
            shown = value if isinstance(value, tuple) else (str(value),)
            yield f"{name}: {shown[0]}"
            yield from (f"{' ' * len(name)}  {more}" for more in shown[1:])


def _labelled(label: str, lines: Iterable[str]) -> Iterator[str]:
    """Write a label before the first line alone."""
    for index, line in enumerate(lines):
        yield f"  {label if index == 0 else '':<8} {plain(line)}"


def console_link(alert: Alert) -> str:
    """Return the URL of the cluster in the AWS console."""
    arn = Arn.parse(alert.cluster_arn)
    partition, region = (arn.partition, arn.region) if arn else ("aws", "unknown")
    domain = _CONSOLES.get(partition, _CONSOLES["aws"])
    place = f"https://{region}.console.{domain}/emr/home?region={region}"
    return f"{place}#/clusterDetails/{cluster_id(alert)}"
