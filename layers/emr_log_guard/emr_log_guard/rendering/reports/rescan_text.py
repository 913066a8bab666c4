"""A re-scan as text: what was scanned, what is new, what could not be scanned."""

from collections.abc import Iterator, Mapping, Sequence

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.rescan import Rescan, Scope
from emr_log_guard.domain.rescan_report import RescanReport
from emr_log_guard.rendering.escape import plain

_SHOWN = 20
"""How many of a kind are listed; the report has all."""
_ABOUT = {
    Scope.ALL: "clusters and log objects",
    Scope.CLUSTERS: "clusters",
    Scope.LOG_OBJECTS: "log objects",
}
_LABELS = {
    Compliance.COMPLIANT: "compliant",
    Compliance.NON_COMPLIANT: "non-compliant",
    Compliance.INSUFFICIENT_DATA: "not determined",
    Compliance.NOT_APPLICABLE: "not applicable",
}


def rescan_headline(report: RescanReport) -> str:
    """Summarize a re-scan in one line."""
    difference = report.difference
    parts = [f"{len(difference.open)} open"]
    if difference.exempt:
        parts.append(f"{len(difference.exempt)} exempt")
    parts += [f"{len(difference.new)} new", f"{len(difference.resolved)} resolved"]
    if difference.undetermined:
        parts.append(f"{len(difference.undetermined)} undetermined")
    if report.failed:
        parts.append(f"{len(report.failed)} of {report.shards} shards failed")
    if report.denied:
        parts.append(f"{len(report.denied)} of {report.shards} shards denied")
    return f"EMR log re-scan: {', '.join(parts)}"


def about(rescan: Rescan) -> str:
    """Say what a re-scan covers, and how."""
    how = "deep" if rescan.deep else "incremental"
    if rescan.reencrypt:
        verb = "not yet" if rescan.dry_run else "to be"
        how = f"{'old versions too' if rescan.deep else 'current versions'}, {verb} re-encrypted"
    only = f" of {rescan.cluster}" if rescan.cluster else ""
    return f"{_ABOUT[rescan.scope]}{only}, {how}"


def rescan_text(report: RescanReport) -> str:
    """Write the whole report as plain text."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RescanReport) -> Iterator[str]:
    rescan, difference = report.rescan, report.difference
    took = int((report.finished - rescan.started).total_seconds())
    yield rescan_headline(report)
    yield ""
    yield f"Scope        {about(rescan)}"
    yield f"Started      {rescan.started:%Y-%m-%d %H:%M:%S} UTC, {took} s"
    if rescan.scope.clusters:
        yield f"Clusters     {_counted(report.clusters)}; {report.described} re-read"
    if rescan.scope.log_objects:
        yield f"Log objects  {_counted(report.log_objects)}; {report.listed:,} listed"
    yield f"Compared     with {difference.last or 'nothing: it is the first re-scan'}"
    yield f"Report       {report.place}"
    yield f"HTML         {report.page}"
    yield from _findings("New", difference.new)
    yield from _findings("Could not be determined", difference.undetermined)
    yield from _findings("Exempt", difference.exempt)
    yield from _named("Resolved", difference.resolved)
    yield from _named("Not scanned", [plain(f"{each.title}: {each.why}") for each in report.failed])
    yield from _named(
        "Listing denied", [plain(f"{each.title}: {each.why}") for each in report.denied]
    )
    for advice in report.advice:
        yield ""
        yield f"Advice       {advice}"


def _counted(counts: Mapping[str, int]) -> str:
    parts = [f"{counts[each]:,} {label}" for each, label in _LABELS.items() if counts.get(each)]
    return ", ".join(parts) or "none"


def _findings(title: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield from _named(
        title,
        [
            f"{each.severity} {each.rule_id} {each.rule_name}: "
            f"{_subject(each)}: "
            f"{plain(each.summary)}"
            for each in findings
        ],
    )


def _subject(finding: Finding) -> str:
    if finding.bucket:
        return f"log bucket {finding.bucket}"
    return f"{plain(finding.cluster_name or finding.cluster_id)} ({finding.cluster_id})"


def _named(title: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{title} ({len(lines)})"
    yield from (f"  {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN} more: see the report"
