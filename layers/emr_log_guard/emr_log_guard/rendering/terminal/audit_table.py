"""An audit as text for a terminal: clusters and causes, the worst first, then a summary."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditedCluster, AuditReport, ExitStatus
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.terminal.error_hints import AUDIT_POLICY, error_hints

_ORDER = (
    Compliance.NON_COMPLIANT,
    Compliance.INSUFFICIENT_DATA,
    Compliance.COMPLIANT,
    Compliance.NOT_APPLICABLE,
)
_HEAD = ("COMPLIANCE", "CLUSTER", "NAME", "REGION", "STATE")
_NAME_LIMIT = 40
_SHOWN = 10
"""How many clusters of a cause are named; the other formats have all."""
_STATUS = {
    ExitStatus.COMPLIANT: "everything is compliant",
    ExitStatus.NON_COMPLIANT: "something is non-compliant",
    ExitStatus.NO_ACCESS: "nothing could be read",
    ExitStatus.UNDETERMINED: "something could not be determined",
}
_NEXT = {
    ExitStatus.COMPLIANT: "`emr-log-guard audit --all-regions --objects` checks log objects, too",
    ExitStatus.NON_COMPLIANT: "`emr-log-guard audit --format html --output audit.html` writes the "
    "evidence and the fixes",
    ExitStatus.NO_ACCESS: "`emr-log-guard audit --print-iam-policy` prints the permissions needed",
    ExitStatus.UNDETERMINED: "`emr-log-guard audit --print-iam-policy` prints the permissions "
    "needed",
}

_UNREAD = frozenset({ExitStatus.NO_ACCESS, ExitStatus.UNDETERMINED})
"""Here the hints about the errors say what to do next, unless permissions are all that lacks."""


def audit_table(report: AuditReport) -> str:
    """Write the report. User-controlled text is escaped: it cannot move the cursor or hide text."""
    return "\n".join([*_clusters(report), *_summary(report)]) + "\n"


def _clusters(report: AuditReport) -> Iterator[str]:
    if not report.clusters:
        return
    ordered = sorted(report.clusters, key=_badness)
    rows = [_HEAD, *(_cells(audited) for audited in ordered)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    yield _line(_HEAD, widths)
    yield from (_line(row, widths) for row in rows[1:])
    yield ""
    yield from _causes(ordered)


def _badness(audited: AuditedCluster) -> tuple[int, int, int]:
    """Sort by compliance, then by the severity and the number of the open violations."""
    broken = [
        finding.severity.rank
        for finding in audited.findings
        if finding.compliance is Compliance.NON_COMPLIANT and finding.status is Status.OPEN
    ]
    return (_ORDER.index(audited.compliance), -max(broken, default=0), -len(broken))


def _causes(clusters: Sequence[AuditedCluster]) -> Iterator[str]:
    """Write each cause once, the worst first, with the clusters that have it."""
    causes: defaultdict[tuple[int, int, str, str], list[str]] = defaultdict(list)
    for audited in clusters:
        for finding in audited.findings:
            if finding.needs_attention:
                causes[_cause(finding)].append(audited.cluster.id)
        for reason in audited.unresolved:
            causes[len(_ORDER), 0, "Could not be read", reason].append(audited.cluster.id)
    for (_, _, title, summary), ids in sorted(causes.items()):
        yield f"{title}: {_count(len(ids), 'cluster')}"
        yield f"  {plain(summary)}"
        more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
        yield f"  {', '.join(ids[:_SHOWN])}{more}"
    if causes:
        yield ""


def _cause(finding: Finding) -> tuple[int, int, str, str]:
    unknown = finding.compliance is Compliance.INSUFFICIENT_DATA
    exempt = finding.status is Status.EXEMPT
    verdict = "could not be determined" if unknown else str(finding.severity)
    if exempt:
        verdict = f"exempt, {verdict}"
    title = f"{finding.rule_id} {finding.rule_name} ({verdict})"
    return (exempt * 2 + unknown, -finding.severity.rank, title, finding.summary)


def _cells(audited: AuditedCluster) -> Sequence[str]:
    cluster = audited.cluster
    name = plain(cluster.name)
    short = name if len(name) <= _NAME_LIMIT else f"{name[: _NAME_LIMIT - 1]}…"
    return (audited.compliance, cluster.id, short, Arn.of(cluster.arn).region, cluster.state)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _summary(report: AuditReport) -> Iterator[str]:
    if report.clusters or not report.problems:
        yield audit_totals(report)
    objects = sum(audited.objects for audited in report.clusters)
    if objects:
        yield f"{_count(objects, 'log object')} checked"
    for problem in report.problems:
        yield f"Could not be read: {plain(problem)}"
    if report.clusters or not report.problems:
        for reason in dict.fromkeys(rule.reason for rule in report.not_evaluated):
            ids = ", ".join(rule.id for rule in report.not_evaluated if rule.reason == reason)
            yield f"Not evaluated: {ids}: {reason}"
    for advice in report.advice:
        yield f"Advice: {plain(advice)}"
    calls = ", ".join(f"{count} {name}" for name, count in report.api_calls.items())
    seconds = (report.finished - report.started).total_seconds()
    yield f"{seconds:.1f} s, AWS calls: {calls or 'none'}"
    status = report.exit_status
    empty = status is ExitStatus.COMPLIANT and not report.clusters
    yield f"Exit status {status}: {'there was nothing to evaluate' if empty else _STATUS[status]}."
    if report.missing:
        yield "Next: check the cluster id; `emr-log-guard audit --all-regions` lists all clusters."
    elif report.interrupted:
        yield "Next: run the audit again; --region, --cluster and --rule make it shorter."
    elif status not in _UNREAD or {AUDIT_POLICY}.issuperset(error_hints(report.problems)):
        yield f"Next: {_NEXT[status]}."


def audit_totals(report: AuditReport) -> str:
    """Count the clusters by result, in one line."""
    number = len(report.places)
    where = "1 account and Region" if number == 1 else f"{number:,} accounts and Regions"
    if not report.clusters:
        return f"No cluster in {where}: nothing to evaluate."
    counts = report.totals
    results = ", ".join(f"{counts[name]} {name}" for name in _ORDER if counts[name])
    return f"{_count(len(report.clusters), 'cluster')} in {where}: {results}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
