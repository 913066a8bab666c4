"""An alert as plain text.

The first two lines say what, where, how severe, since when, and what happens next; then come
evidence and fix.
"""

import re
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
_SHORTEST_NAME = 12
"""Characters of a cluster's name in the headline, even where the rest of it has to be cut."""
_LONG_ARN = re.compile(
    r"arn:aws[a-z-]*:(?:elasticmapreduce|iam|kms|sts):([a-z0-9-]*):([0-9]{12}):([\w+=,.@/-]*\w)"
)
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
    NextStep.LOGS_NOT_REENCRYPTED: "has logs that could not be re-encrypted",
}
_FIXED_BY_A_RELAUNCH = frozenset({"EMRLOG-002", "EMRLOG-003", "EMRLOG-004"})
"""EMR cannot change these settings of a running cluster: it does not become compliant."""
_FIX_UNDETERMINED = "# Let the guard read the missing fact, or check it manually: see the runbook."
_NEXT = {
    NextStep.TERMINATION_REQUESTED: (
        "The cluster is terminated now, unless re-evaluation clears it."
    ),
    NextStep.TERMINATION_SCHEDULED: (
        "The cluster will be terminated at {when}, unless {otherwise} by then."
    ),
    NextStep.TERMINATION_CANCELLED: "The cluster will not be terminated: {why}.",
    NextStep.NOTHING_IN_ALERT_MODE: "No action on the cluster: the mode is alert.",
    NextStep.NOTHING_ALLOWED_IN_STACK: (
        "No action on the cluster: the mode is enforce, but the stack has EnforcementAllowed=false."
    ),
    NextStep.NOTHING_WITHOUT_POLICY: (
        "No action on the cluster: the stored policy is invalid or could not be read."
    ),
    NextStep.NOTHING_ENFORCED: (
        "No action on the cluster: the mode is enforce, but the policy does not terminate clusters "
        "for this."
    ),
    NextStep.RESOLVED: "No further action is needed.",
    NextStep.CLUSTER_TERMINATED: "The cluster is terminating or already terminated.",
    NextStep.TERMINATED: "EMR terminated the cluster at the guard's request.",
    NextStep.STILL_RUNNING: "Investigate, and terminate the cluster manually.",
    NextStep.SKIPPED_PROTECTED: (
        "Fix the cluster, or turn off its termination protection and terminate it manually."
    ),
    NextStep.SKIPPED_NO_LONGER_REQUIRED: "The cluster keeps running.",
    NextStep.SKIPPED_SUPPRESSED: "The cluster keeps running. Replace the suppression.",
    NextStep.SKIPPED_UNDETERMINED: "The cluster is re-evaluated within an hour.",
    NextStep.SKIPPED_NOT_NOTIFIED: (
        "The cluster is not terminated until a notification of the finding has been accepted."
    ),
    NextStep.TERMINATION_REFUSED: "The cluster is still running. Terminate it manually.",
    NextStep.NOTHING_WHILE_REENCRYPTED: (
        "No action on the cluster: all of its logs are re-encrypted as they are written."
    ),
    NextStep.LOGS_REENCRYPTED: (
        "No action is needed for these logs. Launch the cluster with an approved log key next "
        "time: then it writes its logs with that."
    ),
    NextStep.LOGS_NOT_REENCRYPTED: "These logs are still non-compliant: see the detail.",
}
"""What happens to the cluster now, or what to do: one short sentence or two."""
REENCRYPTED = "RE-ENCRYPTED"
"""Instead of the severity, where objects of a finding were re-encrypted."""
_NOTHING = frozenset(step for step in NextStep if step.name.startswith("NOTHING_"))
_REASONS = {
    NextStep.NOTHING_WITHOUT_POLICY: (
        "The last valid policy is used to evaluate and to alert, but not to terminate."
    ),
    NextStep.NOTHING_ENFORCED: (
        "A cluster is terminated for a finding that is NON_COMPLIANT, HIGH or CRITICAL, of a rule "
        "in mode enforce, and listed in the policy's enforcement.rules."
    ),
    NextStep.SKIPPED_SUPPRESSED: (
        "A suppression in Security Hub has no expiry, reason or approver: exempt the cluster "
        "instead, or lift the suppression."
    ),
}
"""What else there is to know about it."""


def alert_subject(alert: Alert) -> str:
    """Write the headline: one line of printable ASCII of at most 99 characters."""
    return ascii_line(_headline(alert), _SUBJECT_LIMIT)


def alert_text(alert: Alert) -> str:
    """Write the whole alert as plain text."""
    return "\n".join(_lines(alert)) + "\n"


def _headline(alert: Alert) -> str:
    """Write the headline; the cluster's name is cut so that the rest fits into a subject."""
    room = _SUBJECT_LIMIT - len(_headline_about(alert, ""))
    name = alert.bucket or alert.cluster_name or cluster_id(alert)
    return _headline_about(alert, _shortened(name, max(room, _SHORTEST_NAME)))


def _headline_about(alert: Alert, name: str) -> str:
    about = f"log bucket {name}" if alert.bucket else f"EMR cluster {name}"
    if alert.kind is AlertKind.FINDING_RESOLVED:
        return f"[RESOLVED] {about}: {_rules(alert.findings)}"
    if alert.kind is AlertKind.REMEDIATION_DONE:
        rules = f": {_rules(alert.findings)}" if alert.findings else ""
        return f"[{REENCRYPTED}] logs of {about}{rules}"
    if alert.kind not in _REPEATED:
        severity = f"[{alert.findings[0].severity}] " if alert.findings else ""
        return f"{severity}{about} {_HEADLINES[alert.next_step].format(when=_when(alert))}"
    again = _REPEATED[alert.kind]
    broken = [f for f in alert.findings if f.compliance is Compliance.NON_COMPLIANT]
    if broken:
        return f"[{broken[0].severity}] {about} {again}violates {_rules(broken)}"
    undetermined = f"{again}could not determine {_rules(alert.findings)}"
    return f"[{alert.findings[0].severity}] {about}: {undetermined}"


def _rules(findings: Sequence[Finding]) -> str:
    names = [f"{finding.rule_id} {finding.rule_name}" for finding in findings]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _shortened(name: str, limit: int) -> str:
    return name if len(name) <= limit else f"{name[: limit - 3]}..."


def place_of(alert: Alert) -> tuple[str, str]:
    """Return the account and the Region that an alert is from."""
    arn = Arn.parse(alert.cluster_arn)
    if alert.bucket and alert.findings:  # a bucket's ARN names neither
        return alert.findings[0].account, alert.findings[0].region
    return (arn.account, arn.region) if arn else ("unknown", "unknown")


def cluster_id(alert: Alert) -> str:
    """Return the id of the cluster."""
    return alert.cluster_arn.rpartition("/")[2]


def _lines(alert: Alert) -> Iterator[str]:
    place = place_of(alert)
    name = (
        f"{plain(alert.cluster_name)} ({cluster_id(alert)})"
        if alert.cluster_name
        else cluster_id(alert)
    )
    yield plain(_headline(alert))
    known = found(alert)
    since = f"{known[0]} {known[1]:%Y-%m-%d %H:%M} UTC. " if known else ""
    yield f"Account {', '.join(place)}. {since}{next_step_text(alert, _when(alert))}"
    yield ""
    yield f"Bucket       {alert.bucket}" if alert.bucket else f"Cluster      {name}"
    if who := launched_by(alert):
        yield f"Launched by  {plain(who)}"
    yield f"Console      {console_link(alert)}"
    if reason := next_step_reason(alert):
        yield f"Note         {reason}"
    if alert.next_step is NextStep.TERMINATION_SCHEDULED:
        yield f"To cancel    {exempt_command(alert, [f for f in alert.findings if f.deadline])}"
        yield "             or set the policy's mode to alert, which cancels every termination"
    if alert.detail:
        yield f"Detail       {plain(alert.detail)}"
    for expired in alert.expired_exemptions:
        yield (
            f"Exemption    expired on {expired.until}, for {', '.join(sorted(expired.rules))}: "
            f"{plain(expired.reason)} (approved by {plain(expired.approved_by)})"
        )
    for index, finding in enumerate(alert.findings):
        yield ""
        if alert.kind is AlertKind.REMEDIATION_DONE:
            yield f"{finding.rule_id} {finding.rule_name}: {REENCRYPTED}"
            yield from _past_lines(finding)
        else:
            yield from finding_lines(finding, alert.findings[:index])


def found(alert: Alert) -> tuple[str, datetime] | None:
    """Return when the earliest of the findings was found, UTC, and how to introduce that moment."""
    if not alert.findings:
        return None
    earliest = min(finding.first_seen for finding in alert.findings)
    if alert.kind is AlertKind.FINDING_RESOLVED:
        return "Was open since", earliest
    if alert.kind in _REPEATED:
        return "Found" if alert.kind is AlertKind.FINDING_OPENED else "First found", earliest
    return f"{_rules(alert.findings)}, found", earliest


def launched_by(alert: Alert) -> str:
    """Name who launched the cluster; empty when unknown."""
    return ", ".join(
        sorted({short_arns(f.launched_by, f) for f in alert.findings if f.launched_by})
    )


def next_step_text(alert: Alert, when: str) -> str:
    """Say what happens to the cluster now; `when` is the deadline as text."""
    if alert.bucket and alert.next_step in _NOTHING:
        return "No cluster is terminated for this."
    due = {finding.rule_id for finding in alert.findings if finding.deadline}
    relaunch = due <= _FIXED_BY_A_RELAUNCH
    otherwise = "that is cancelled" if relaunch else "it is compliant or exempt"
    return _NEXT[alert.next_step].format(when=when, why=_why_cancelled(alert), otherwise=otherwise)


def next_step_reason(alert: Alert) -> str:
    """Say why that happens, or does not; mostly empty."""
    if alert.bucket:
        return ""
    return _REASONS.get(alert.next_step, "")


def _why_cancelled(alert: Alert) -> str:
    if all(finding.status is Status.EXEMPT for finding in alert.findings):
        return "it is exempt now"
    if all(f.compliance is Compliance.INSUFFICIENT_DATA for f in alert.findings):
        return "the violation can no longer be confirmed"
    return "the policy no longer requires it"


def exempt_command(alert: Alert, findings: Iterable[Finding]) -> str:
    """Write the command that exempts the cluster from these findings; it works in any shell."""
    arn = Arn.parse(alert.cluster_arn)
    parts = (
        f"emr-log-guard exempt --cluster {cluster_id(alert)}",
        *(f"--rule {finding.rule_id}" for finding in findings),
        *((f"--stack {alert.stack}",) if alert.stack else ()),
        *((f"--region {arn.region}",) if arn else ()),
        "--until YYYY-MM-DD --reason WHY",
    )
    return " ".join(parts)


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
        yield from _past_lines(finding)
        return
    yield f"  What     {plain(summary_of(finding))}"
    yield f"  Why      {WHY[finding.rule_id]}"
    same = next((other.rule_id for other in above if other.evidence == finding.evidence), None)
    if same:
        yield f"  Evidence as for {same}"
    else:
        yield from _labelled("Evidence", evidence_lines(finding))
    yield from _labelled("Fix", fix_of(finding).splitlines())
    yield f"  Runbook  {finding.runbook}"


def _past_lines(finding: Finding) -> Iterator[str]:
    """Write what was found, where nothing is left to be done about it."""
    yield f"  Was      {plain(summary_of(finding))}"
    yield f"  Since    {finding.first_seen:%Y-%m-%d %H:%M} UTC"


def fix_of(finding: Finding) -> str:
    """Write what to run; empty when there is nothing to run."""
    undetermined = finding.compliance is Compliance.INSUFFICIENT_DATA
    return finding.remediation or (_FIX_UNDETERMINED if undetermined else "")


def summary_of(finding: Finding) -> str:
    """Return what is wrong, with short ARNs."""
    return short_arns(finding.summary, finding)


def evidence_lines(finding: Finding) -> Iterator[str]:
    """Write the evidence of a finding, with short ARNs; fields without a value are left out."""
    for name, value in finding.evidence.items():
        if value not in (None, (), 0):
            shown = value if isinstance(value, tuple) else (str(value),)
            first, *others = (short_arns(each, finding) for each in shown)
            yield f"{name}: {first}"
            yield from (f"{' ' * len(name)}  {more}" for more in others)


def short_arns(text: str, finding: Finding) -> str:
    """Shorten ARNs to the resource, such as `key/ID`, and the account and Region if others."""

    def short(arn: re.Match[str]) -> str:
        region, account, resource = arn.groups()
        elsewhere = [account] if account != finding.account else []
        elsewhere += [region] if region not in ("", finding.region) else []
        return f"{resource} ({', '.join(elsewhere)})" if elsewhere else resource

    return _LONG_ARN.sub(short, text)


def _labelled(label: str, lines: Iterable[str]) -> Iterator[str]:
    """Write a label before the first line alone."""
    for index, line in enumerate(lines):
        yield f"  {label if index == 0 else '':<8} {plain(line)}"


def console_link(alert: Alert) -> str:
    """Return the URL of the cluster, or the bucket, in the AWS console."""
    arn = Arn.parse(alert.cluster_arn)
    _, region = place_of(alert)
    domain = _CONSOLES.get(arn.partition if arn else "aws", _CONSOLES["aws"])
    if alert.bucket:
        return (
            f"https://{region}.console.{domain}/s3/buckets/{alert.bucket}"
            f"?region={region}&tab=properties"
        )
    place = f"https://{region}.console.{domain}/emr/home?region={region}"
    return f"{place}#/clusterDetails/{cluster_id(alert)}"
