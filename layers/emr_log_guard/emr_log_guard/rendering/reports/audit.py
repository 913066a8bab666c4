"""An audit as an HTML page."""

from collections.abc import Iterator

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditedCluster, AuditReport, AuditTarget, ExitStatus
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.rendering.reports.page import (
    LABELS,
    CountRow,
    CountTable,
    Coverage,
    Figure,
    ReportPage,
    ShownCluster,
    Undetermined,
    by_rule,
    moment,
    most_severe_first,
    shown_exemptions,
    undetermined,
    worst_first,
)
from emr_log_guard.rendering.reports.report_html import report_html
from emr_log_guard.rendering.terminal.error_hints import error_hints

_VERDICTS = {
    ExitStatus.COMPLIANT: Compliance.COMPLIANT,
    ExitStatus.NON_COMPLIANT: Compliance.NON_COMPLIANT,
}
_OF_CLUSTERS = (
    Compliance.NON_COMPLIANT,
    Compliance.INSUFFICIENT_DATA,
    Compliance.COMPLIANT,
    Compliance.NOT_APPLICABLE,
)


def audit_html(report: AuditReport) -> Iterator[str]:
    """Write the report piece by piece. Everything that users control is escaped."""
    return report_html(_page(report))


def _page(report: AuditReport) -> ReportPage:
    clusters = worst_first(map(_cluster, report.clusters))
    findings = [finding for audited in report.clusters for finding in audited.findings]
    return ReportPage(
        title="EMR Log Guard audit",
        about=(
            ("Started", moment(report.started)),
            ("Finished", moment(report.finished)),
            ("Rules", ", ".join(report.rules)),
        ),
        verdict=_verdict(report),
        warnings=tuple(_warnings(report)),
        figures=tuple(_figures(report)),
        trend=None,
        count_tables=(by_rule(findings, tuple(LABELS)), _by_place(report)),
        clusters=clusters,
        clusters_note="",
        new=frozenset(),
        has_history=False,
        resolved=(),
        undetermined=(
            *(Undetermined(each, "") for each in report.problems),
            *undetermined(clusters),
        ),
        exemptions=shown_exemptions(report.exemptions, findings, report.finished),
        coverage=(_places(report), _calls(report)),
        not_evaluated=report.not_evaluated,
        advice=(
            *(f"Hint: {line}" for line in error_hints(report.problems)),
            *report.advice,
        ),
    )


def _warnings(report: AuditReport) -> Iterator[str]:
    if report.interrupted:
        yield "This report is partial: the audit was interrupted."
    if report.problems:
        yield "Not everything could be read: see what could not be determined."


def _verdict(report: AuditReport) -> Compliance:
    verdict = _VERDICTS.get(report.exit_status, Compliance.INSUFFICIENT_DATA)
    nothing = verdict is Compliance.COMPLIANT and not report.totals[Compliance.COMPLIANT]
    return Compliance.NOT_APPLICABLE if nothing else verdict


def _figures(report: AuditReport) -> Iterator[Figure]:
    totals = report.totals
    yield Figure("clusters evaluated", f"{len(report.clusters):,}")
    for each in _OF_CLUSTERS:
        if each is not Compliance.NOT_APPLICABLE or totals[each]:
            yield Figure(LABELS[each].lower(), f"{totals[each]:,}", each if totals[each] else "")
    share = CountRow("", {str(name): count for name, count in totals.items()}).share
    if share:
        yield Figure("of clusters are compliant", share)
    objects = sum(audited.objects for audited in report.clusters)
    if objects:
        yield Figure("log objects checked", f"{objects:,}")


def _by_place(report: AuditReport) -> CountTable:
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for audited in report.clusters:
        arn = Arn.of(audited.cluster.arn)
        row = counts.setdefault((arn.account, arn.region), {})
        row[audited.compliance] = row.get(audited.compliance, 0) + 1
    return CountTable(
        title="By account and Region",
        counted="clusters",
        columns=_OF_CLUSTERS,
        first="Account and Region",
        rows=tuple(CountRow(" ".join(place), counts[place]) for place in sorted(counts)),
    )


def _cluster(audited: AuditedCluster) -> ShownCluster:
    cluster = audited.cluster
    arn = Arn.of(cluster.arn)
    return ShownCluster(
        id=cluster.id,
        name=cluster.name,
        account=arn.account,
        region=arn.region,
        state=cluster.state,
        compliance=audited.compliance,
        findings=most_severe_first(audited.findings),
        unresolved=audited.unresolved,
    )


def _places(report: AuditReport) -> Coverage:
    return Coverage(
        "Accounts and Regions",
        ("Account", "Region", "Role", "Clusters found", "Problem"),
        tuple(map(_place, report.places)),
    )


def _place(place: AuditTarget) -> tuple[str, ...]:
    return (
        place.account or "unknown",
        place.region,
        place.role_arn or "the caller",
        f"{place.listed:,}",
        place.problem or "none",
    )


def _calls(report: AuditReport) -> Coverage:
    return Coverage(
        "AWS calls",
        ("Call", "Requests"),
        tuple((call, f"{count:,}") for call, count in report.api_calls.items()),
        "Retries are included.",
    )
