"""An alert as Amazon Q Developer in chat applications shows it in Slack, Teams and Chime.

User-controlled text is in code spans, where no chat's markup can mention anyone.
https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import json
import re
from collections.abc import Iterator, Sequence

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import Alert, AlertKind
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.policy import PolicyProblem
from emr_log_guard.domain.published_alert import PublishedAlert, RescanDone
from emr_log_guard.rendering.alerts.chat import (
    below_headline,
    evidence_of,
    exemptible,
    past,
    rule_ids,
    shortened,
    sign,
    verdict,
)
from emr_log_guard.rendering.alerts.policy import policy_fix, policy_next
from emr_log_guard.rendering.alerts.text import (
    WHY,
    cluster_id,
    console_link,
    deadline_of,
    exempt_command,
    fix_of,
    found,
    launched_by,
    next_step_reason,
    next_step_text,
    summary_of,
)
from emr_log_guard.rendering.escape import code_span, plain, within_code

_DESCRIPTION = 2_500
"""Characters. AWS documents no limit; the Slack block that shows them takes 3,000."""
_TEXT = 200
_FIX = 1_000
_HARMLESS_URL = re.compile(r"https://[A-Za-z0-9./:#?=%_&-]{1,2000}\Z")
_MARKUP = re.compile(r"[^A-Za-z0-9 .,:/+-]")
_CHANGED_BY_CHAT = re.compile(r"[`<>&]")
_KINDS = {
    AlertKind.FINDING_OPENED: "EMR logs",
    AlertKind.FINDING_REOPENED: "EMR logs, again",
    AlertKind.FINDING_REMINDER: "EMR logs, still",
    AlertKind.FINDING_RESOLVED: "EMR logs, resolved",
    AlertKind.ENFORCEMENT_SCHEDULED: "EMR cluster will be terminated",
    AlertKind.ENFORCEMENT_DONE: "EMR cluster was terminated",
    AlertKind.ENFORCEMENT_SKIPPED: "EMR cluster was not terminated",
    AlertKind.ENFORCEMENT_FAILED: "EMR cluster could not be terminated",
    AlertKind.REMEDIATION_DONE: "EMR logs",
    AlertKind.REMEDIATION_FAILED: "EMR logs could not be re-encrypted",
}


def amazon_q_message(published: PublishedAlert) -> str:
    """Write the JSON of a custom notification."""
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": _title(published),
                "description": "\n".join(_description(published)),
                "nextSteps": list(_next_steps(published)),
                "keywords": _keywords(published),
            },
            "metadata": {
                "threadId": thread_of(published),
                "summary": _inert(published.subject),
                "eventType": published.kind or "alert",
                "relatedResources": _resources(published),
                "additionalContext": _context(published),
            },
        },
        ensure_ascii=False,
    )


def thread_of(published: PublishedAlert) -> str:
    """Return the thread id: one per cluster, as one opening alert may be resolved by two."""
    match published.about:
        case Alert() as alert:
            return alert.cluster_arn
        case PolicyProblem() as problem:
            return problem.parameter
        case None:
            return published.subject
        case rescan:
            return rescan.execution


def _title(published: PublishedAlert) -> str:
    if not isinstance(published.about, Alert):
        return f"{sign(published)} {_inert(published.subject)}"
    title = _KINDS[published.about.kind]
    findings = published.about.findings
    broken = [f for f in findings if f.compliance is Compliance.NON_COMPLIANT]
    # As in the headline of a mail: what is proven comes first, and alone is counted.
    for first in (broken or findings)[:1]:
        title += f": {verdict(published.about, first)} {first.rule_id} {first.rule_name}"
    if more := len((broken or findings)[1:]):
        title += f" and {more} more"
    return f"{sign(published)} {_inert(title)}"


def _description(published: PublishedAlert) -> Iterator[str]:
    match published.about:
        case Alert() as alert:
            yield from _about_cluster(alert, published)
        case PolicyProblem() as problem:
            yield f"Account {_place(published)}. {policy_next(problem)}"
            yield f"*Parameter* {_code(problem.parameter)}"
            yield from (f"*Wrong* {_code(each)}" for each in problem.problems[:5])
            if more := len(problem.problems[5:]):
                yield f"and {more} more"
        case _:
            yield from _fenced(below_headline(published, _DESCRIPTION))


def _about_cluster(alert: Alert, published: PublishedAlert) -> Iterator[str]:
    head = [
        f"Account {_place(published)}. {_since(alert)}*{_next(alert)}*",
        f"*Bucket* {_code(alert.bucket)}"
        if alert.bucket
        else f"*Cluster* {_code(alert.cluster_name or '')} {_code(cluster_id(alert))}",
    ]
    if who := launched_by(alert):
        head.append(f"*Launched by* {_code(who)}")
    if alert.detail:
        head.append(f"*Detail* {_code(alert.detail)}")
    head += [
        f"*Exemption* expired on {expired.until}: {_code(expired.reason)}"
        for expired in alert.expired_exemptions[:2]
    ]
    if reason := next_step_reason(alert):
        head.append(f"*Note* {_inert(reason)}")
    yield from head
    room = _DESCRIPTION - sum(map(len, head))
    for place, finding in enumerate(alert.findings):
        lines = list(_finding(alert, finding, alert.findings[:place]))
        room -= sum(map(len, lines))
        if room < 0 and place:
            left = alert.findings[place:]
            yield f"\nNot shown: {len(left)} more ({rule_ids(left)})"
            return
        yield from lines


def _since(alert: Alert) -> str:
    known = found(alert)
    return f"{_inert(known[0])} {known[1]:%Y-%m-%d %H:%M} UTC. " if known else ""


def _next(alert: Alert) -> str:
    deadline = deadline_of(alert)
    return next_step_text(alert, f"{deadline:%Y-%m-%d %H:%M:%S} UTC" if deadline else "once")


def _finding(alert: Alert, finding: Finding, above: Sequence[Finding]) -> Iterator[str]:
    yield f"\n*{_inert(f'{verdict(alert, finding)} {finding.rule_id} {finding.rule_name}')}*"
    if past(alert, finding):
        yield f"It was: {_code(summary_of(finding))}"
        return
    yield _code(summary_of(finding))
    yield WHY.get(finding.rule_id, "")
    if not any(each.evidence == finding.evidence for each in above):
        yield from _fenced(evidence_of(finding, _TEXT))
    fix = fix_of(finding)
    if not fix or any(fix_of(each) == fix for each in above):
        return
    if len(plain(fix)) > _FIX or _CHANGED_BY_CHAT.search(fix):
        # A command that a chat alters, or that was truncated, is worse than none.
        fix = f"# To see the commands, run: emr-log-guard explain {finding.cluster_id}"
    yield "Fix"
    yield from _fenced(fix)


def _next_steps(published: PublishedAlert) -> Iterator[str]:
    match published.about:
        case Alert() as alert:
            yield f"{'Bucket' if alert.bucket else 'Cluster'} in the console: {console_link(alert)}"
            if findings := exemptible(alert):
                yield f"To exempt it: {code_span(exempt_command(alert, findings))}"
            for finding in alert.findings[:3]:
                url = finding.runbook
                where = url if _HARMLESS_URL.match(url) else _code(url)
                yield f"Runbook of {finding.rule_id}: {where}"
        case PolicyProblem() as problem:
            yield from (code_span(each) for each in policy_fix(problem) if each[0] != "#")
        case RescanDone():
            yield "See the report."
        case None:
            pass


def _keywords(published: PublishedAlert) -> list[str]:
    if not isinstance(published.about, Alert):
        return [published.kind] if published.kind else []
    severity = [str(published.severity)] if published.severity else []
    return [*severity, *(finding.rule_id for finding in published.about.findings)]


def _resources(published: PublishedAlert) -> list[str]:
    return [published.about.cluster_arn] if isinstance(published.about, Alert) else []


def _context(published: PublishedAlert) -> dict[str, str]:
    """Return the variables that a custom action's button may use."""
    place = (published.account or "unknown", published.region or "unknown")
    context = dict(zip(("Account", "Region"), map(_inert, place), strict=True))
    if isinstance(published.about, Alert):
        context |= {
            "ClusterId": cluster_id(published.about),
            "RuleIds": rule_ids(published.about.findings),
            "Severity": str(published.severity or "unknown"),
        }
    return context


def _inert(text: str) -> str:
    """Remove characters that a chat may interpret as markup."""
    return _MARKUP.sub("", text)[:_TEXT]


def _place(published: PublishedAlert) -> str:
    return f"{_code(published.account or 'unknown')} {_code(published.region or 'unknown')}"


def _code(text: str) -> str:
    return code_span(shortened(text, _TEXT))


def _fenced(text: str) -> Iterator[str]:
    if text:
        yield "\n".join(["```", *map(within_code, text.split("\n")), "```"])
