"""An audit as text for a terminal: the worst first, then a summary."""

from collections.abc import Iterator, Sequence

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditedCluster, AuditReport
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Status
from emr_log_guard.rendering.escape import plain

_ORDER = (
    Compliance.NON_COMPLIANT,
    Compliance.INSUFFICIENT_DATA,
    Compliance.COMPLIANT,
    Compliance.NOT_APPLICABLE,
)
_HEAD = ("COMPLIANCE", "CLUSTER", "NAME", "REGION", "STATE")
_NAME_LIMIT = 40


def audit_table(report: AuditReport) -> str:
    """Write the report. User-controlled text is escaped: it cannot move the cursor or hide text."""
    return "\n".join([*_clusters(report), *_summary(report)]) + "\n"


def _clusters(report: AuditReport) -> Iterator[str]:
    if not report.clusters:
        return
    ordered = sorted(report.clusters, key=lambda audited: _ORDER.index(audited.compliance))
    rows = [_HEAD, *(_cells(audited) for audited in ordered)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    yield _line(_HEAD, widths)
    for audited, row in zip(ordered, rows[1:], strict=True):
        yield _line(row, widths)
        yield from (f"  {plain(reason)}" for reason in audited.unresolved)
        for finding in audited.findings:
            if finding.needs_attention:
                exempt = "exempt, " if finding.status is Status.EXEMPT else ""
                unknown = finding.compliance is Compliance.INSUFFICIENT_DATA
                what = "could not be determined" if unknown else finding.severity
                yield (
                    f"  {finding.rule_id} {finding.rule_name} ({exempt}{what}): "
                    f"{plain(finding.summary)}"
                )
    yield ""


def _cells(audited: AuditedCluster) -> Sequence[str]:
    cluster = audited.cluster
    name = plain(cluster.name)
    short = name if len(name) <= _NAME_LIMIT else f"{name[: _NAME_LIMIT - 1]}…"
    return (audited.compliance, cluster.id, short, Arn.of(cluster.arn).region, cluster.state)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _summary(report: AuditReport) -> Iterator[str]:
    where = _count(len(report.places), "place")
    if report.clusters:
        counts = report.totals
        results = ", ".join(f"{counts[name]} {name}" for name in _ORDER if counts[name])
        yield f"{_count(len(report.clusters), 'cluster')} in {where}: {results}"
    elif not report.problems:
        yield f"No cluster in {where}: nothing to evaluate."
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


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
