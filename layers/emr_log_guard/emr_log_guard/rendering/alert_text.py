"""An alert as text for a tired person: what, where, why, what happens next, and the fix."""

from collections.abc import Iterator

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.domain.findings import Finding
from emr_log_guard.rendering.escape import ascii_line, plain
from emr_log_guard.rules import ALL_RULES

_SUBJECT_LIMIT = 99
"""https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
_WHY = {rule.id: rule.why for rule in ALL_RULES}
_CONSOLES = {
    "aws": "aws.amazon.com",
    "aws-cn": "amazonaws.cn",
    "aws-us-gov": "amazonaws-us-gov.com",
}
_HEADLINES = {
    AlertKind.ENFORCEMENT_DONE: "ended",
    AlertKind.ENFORCEMENT_SKIPPED: "spared",
    AlertKind.ENFORCEMENT_FAILED: "could not be terminated",
}
_NEXT = {
    NextStep.TERMINATION_REQUESTED: (
        "The cluster will be terminated now, unless a second look clears it."
    ),
    NextStep.NOTHING_IN_ALERT_MODE: (
        "Nothing will be done to the cluster: the guard runs in mode alert."
    ),
    NextStep.NOTHING_ALLOWED_IN_STACK: (
        "Nothing will be done to the cluster: mode is enforce, but this stack was deployed "
        "without EnforcementAllowed."
    ),
    NextStep.NOTHING_ENFORCED: (
        "Nothing will be done to the cluster: mode is enforce, but none of this is proven, "
        "HIGH and listed in EnforcementRules."
    ),
    NextStep.CLUSTER_ENDED: "The cluster is terminating or gone already.",
    NextStep.TERMINATION_STARTED: "EMR is terminating the cluster.",
    NextStep.SPARED_PROTECTED: (
        "The cluster was left running: its termination protection is on, and the guard respects "
        "it. Fix the cluster, or lift the protection and terminate it yourself."
    ),
    NextStep.SPARED_NO_LONGER_CALLED_FOR: (
        "The cluster was left running: on a second look its termination was not called for."
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
    name = alert.cluster_name or _id(alert)
    if alert.kind is not AlertKind.FINDING_OPENED:
        return f"EMR cluster {name} {_HEADLINES[alert.kind]}"
    worst = alert.findings[0]
    if any(f.compliance is Compliance.NON_COMPLIANT for f in alert.findings):
        return f"[{worst.severity}] EMR cluster {name} breaks {_rules(alert)}"
    return f"[{worst.severity}] EMR cluster {name}: could not determine {_rules(alert)}"


def _rules(alert: Alert) -> str:
    names = [f"{finding.rule_id} {finding.rule_name}" for finding in alert.findings]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _id(alert: Alert) -> str:
    return alert.cluster_arn.rpartition("/")[2]


def _lines(alert: Alert) -> Iterator[str]:
    arn = Arn.parse(alert.cluster_arn)
    account, region = (arn.account, arn.region) if arn else ("unknown", "unknown")
    name = f"{plain(alert.cluster_name)} ({_id(alert)})" if alert.cluster_name else _id(alert)
    launched_by = {finding.launched_by for finding in alert.findings} - {None}
    yield plain(_headline(alert))
    yield ""
    yield f"Cluster      {name}"
    yield f"Account      {account}, {region}"
    yield f"Launched by  {plain(', '.join(sorted(filter(None, launched_by))) or 'unknown')}"
    yield f"Console      {_console_link(alert, arn.partition if arn else 'aws', region)}"
    yield f"Next         {_next(alert)}"
    if alert.detail:
        yield f"Detail       {plain(alert.detail)}"
    for finding in alert.findings:
        yield ""
        yield from _finding_lines(finding)


def _next(alert: Alert) -> str:
    deadlines = [f.deadline for f in alert.findings if f.deadline]
    when = f" (from {min(deadlines):%Y-%m-%d %H:%M:%S} UTC)" if deadlines else ""
    return f"{_NEXT[alert.next_step]}{when}"


def _finding_lines(finding: Finding) -> Iterator[str]:
    could_not = finding.compliance is Compliance.INSUFFICIENT_DATA
    verdict = "COULD NOT BE DETERMINED" if could_not else finding.severity
    yield f"{finding.rule_id} {finding.rule_name}: {verdict}"
    yield f"  What     {plain(finding.summary)}"
    yield f"  Why      {_WHY[finding.rule_id]}"
    for name, value in finding.evidence.items():
        if value not in (None, (), 0):
            shown = value if isinstance(value, tuple) else (str(value),)
            yield f"  Evidence {name}: {plain(shown[0])}"
            yield from (f"           {' ' * len(name)}  {plain(more)}" for more in shown[1:])
    for index, command in enumerate(finding.remediation.splitlines()):
        yield f"  {'Fix' if index == 0 else '   '}      {plain(command)}"
    yield f"  Runbook  {finding.runbook}"


def _console_link(alert: Alert, partition: str, region: str) -> str:
    domain = _CONSOLES.get(partition, _CONSOLES["aws"])
    return (
        f"https://{region}.console.{domain}/emr/home?region={region}#/clusterDetails/{_id(alert)}"
    )
