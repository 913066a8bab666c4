"""An alert as text for a tired person: what, where, why, what happens next, and the fix."""

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
_NAME_LIMIT = 40
"""Characters of a cluster's name in the headline: what is wrong with it must fit in, too."""
_STANDING = {
    AlertKind.FINDING_OPENED: "",
    AlertKind.FINDING_REOPENED: "again ",
    AlertKind.FINDING_REMINDER: "still ",
}
_HEADLINES = {
    NextStep.TERMINATION_REQUESTED: "is about to be terminated",
    NextStep.TERMINATION_SCHEDULED: "will be terminated at {when}",
    NextStep.TERMINATION_CANCELLED: "will not be terminated",
    NextStep.TERMINATED: "is terminated",
    NextStep.STILL_RUNNING: "has not ended 15 minutes after its termination",
    NextStep.SKIPPED_PROTECTED: "was not terminated: it is termination-protected",
    NextStep.SKIPPED_NO_LONGER_REQUIRED: "was not terminated: it is no longer required",
    NextStep.SKIPPED_SUPPRESSED: "was not terminated: suppressed in Security Hub",
    NextStep.SKIPPED_UNDETERMINED: "was not terminated: a fact it depends on could not be read",
    NextStep.SKIPPED_NOT_NOTIFIED: "is not terminated yet: no notification was accepted",
    NextStep.TERMINATION_REFUSED: "could not be terminated",
}
_FIX_FOR_DOUBT = (
    "# Let the guard read what it could not read, or check this by hand: the runbook says how."
)
_NEXT = {
    NextStep.TERMINATION_REQUESTED: (
        "The cluster will be terminated now, unless a second look clears it."
    ),
    NextStep.TERMINATION_SCHEDULED: (
        "The cluster will be terminated at {when}, unless it is put right by then."
    ),
    NextStep.TERMINATION_CANCELLED: (
        "The cluster will not be terminated for this as things stand: it was put right or "
        "exempted, or the policy was changed."
    ),
    NextStep.NOTHING_IN_ALERT_MODE: (
        "Nothing will be done to the cluster: the guard runs in mode alert."
    ),
    NextStep.NOTHING_ALLOWED_IN_STACK: (
        "Nothing will be done to the cluster: mode is enforce, but this stack was deployed "
        "without EnforcementAllowed."
    ),
    NextStep.NOTHING_WITHOUT_POLICY: (
        "Nothing is decided about a termination: the stored policy is invalid or could not be "
        "read. The last valid one is used to evaluate and to alert."
    ),
    NextStep.NOTHING_ENFORCED: (
        "Nothing will be done to the cluster: mode is enforce, but none of this is proven, "
        "HIGH, of a rule in mode enforce, and listed in the policy's enforcement.rules."
    ),
    NextStep.RESOLVED: "Nothing is left to do about this.",
    NextStep.CLUSTER_TERMINATED: "The cluster is terminating or gone already.",
    NextStep.TERMINATED: "The cluster is gone: EMR terminated it, as the guard asked.",
    NextStep.STILL_RUNNING: (
        "EMR took the request to terminate the cluster 15 minutes ago, and it has not ended. "
        "Look at it, and terminate it by hand."
    ),
    NextStep.SKIPPED_PROTECTED: (
        "The cluster was left running: its termination protection is on, and the guard respects "
        "it. Fix the cluster, or lift the protection and terminate it yourself."
    ),
    NextStep.SKIPPED_NO_LONGER_REQUIRED: (
        "The cluster was left running: on a second look its termination was not called for."
    ),
    NextStep.SKIPPED_SUPPRESSED: (
        "The cluster was left running: people suppressed this in Security Hub. A suppression has "
        "no end, no reason and no approver: exempt the cluster instead, or lift the suppression."
    ),
    NextStep.SKIPPED_UNDETERMINED: (
        "The cluster was not terminated: a fact that its termination depends on could not be read. "
        "It is re-evaluated within an hour."
    ),
    NextStep.SKIPPED_NOT_NOTIFIED: (
        "The cluster is not terminated before a notification of the finding was accepted."
    ),
    NextStep.TERMINATION_REFUSED: (
        "The cluster is still running: EMR refused to terminate it. Somebody has to."
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
    if alert.kind not in _STANDING:
        return f"EMR cluster {name} {_HEADLINES[alert.next_step].format(when=_when(alert))}"
    again = _STANDING[alert.kind]
    broken = [f for f in alert.findings if f.compliance is Compliance.NON_COMPLIANT]
    if broken:
        return f"[{broken[0].severity}] EMR cluster {name} {again}breaks {_rules(broken)}"
    doubt = f"{again}could not determine {_rules(alert.findings)}"
    return f"[{alert.findings[0].severity}] EMR cluster {name}: {doubt}"


def _rules(findings: Sequence[Finding]) -> str:
    names = [f"{finding.rule_id} {finding.rule_name}" for finding in findings]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_LIMIT else f"{name[:_NAME_LIMIT]}..."


def cluster_id(alert: Alert) -> str:
    """Name the cluster as EMR does."""
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
    for ended in alert.expired_exemptions:
        yield (
            f"Exemption    ended on {ended.until}, for {', '.join(sorted(ended.rules))}: "
            f"{plain(ended.reason)} (approved by {plain(ended.approved_by)})"
        )
    for index, finding in enumerate(alert.findings):
        yield ""
        yield from finding_lines(finding, alert.findings[:index])


def _next(alert: Alert) -> str:
    words = next_words(alert, _when(alert))
    if alert.next_step is not NextStep.TERMINATION_SCHEDULED:
        return words
    command = exempt_command(alert, [f for f in alert.findings if f.deadline])
    return f"{words} To stop that: {command}, or set the policy's mode to alert."


def next_words(alert: Alert, when: str) -> str:
    """Say what happens to the cluster now, and when, however that is written."""
    return _NEXT[alert.next_step].format(when=when)


def exempt_command(alert: Alert, findings: Iterable[Finding]) -> str:
    """Write the command that has the cluster let be for these findings."""
    rules = " ".join(f"--rule {finding.rule_id}" for finding in findings)
    return (
        f"emr-log-guard exempt --cluster {cluster_id(alert)} {rules} "
        "--until YYYY-MM-DD --reason WHY"
    )


def deadline_of(alert: Alert) -> datetime | None:
    """Say when the cluster will be terminated; None when it will not, or at once."""
    return min((f.deadline for f in alert.findings if f.deadline), default=None)


def _when(alert: Alert) -> str:
    deadline = deadline_of(alert)
    return f"{deadline:%Y-%m-%d %H:%M:%S} UTC" if deadline else "once"


def finding_lines(finding: Finding, above: Sequence[Finding]) -> Iterator[str]:
    """Write a finding; evidence that one above has already is not written again."""
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
    """Write what to run; empty when there is nothing to be run."""
    doubt = finding.compliance is Compliance.INSUFFICIENT_DATA
    return finding.remediation or (_FIX_FOR_DOUBT if doubt else "")


def evidence_lines(finding: Finding) -> Iterator[str]:
    """Write what the finding rests on, as far as there is something."""
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
    """Say where the cluster is in AWS's console."""
    arn = Arn.parse(alert.cluster_arn)
    partition, region = (arn.partition, arn.region) if arn else ("aws", "unknown")
    domain = _CONSOLES.get(partition, _CONSOLES["aws"])
    place = f"https://{region}.console.{domain}/emr/home?region={region}"
    return f"{place}#/clusterDetails/{cluster_id(alert)}"
