"""A re-scan as an HTML page."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.rescan_report import BucketCoverage, RescanReport
from emr_log_guard.rendering.reports.page import (
    EXEMPT,
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
from emr_log_guard.rendering.reports.rescan_text import about
from emr_log_guard.rendering.reports.trend import trend

_OPEN = (Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA, EXEMPT)
_OF_CLUSTERS = tuple(each for each in LABELS if each != EXEMPT)


def rescan_html(report: RescanReport) -> Iterator[str]:
    """Write the report piece by piece. Everything that users control is escaped."""
    return report_html(_page(report))


def _page(report: RescanReport) -> ReportPage:
    rescan, difference = report.rescan, report.difference
    clusters = worst_first(_clusters(difference.unresolved))
    missed = (
        *(Undetermined(f"{each.title}: {each.why}", "") for each in report.failed),
        *(Undetermined(f"{each.title}: {each.why}", "") for each in report.denied),
    )
    return ReportPage(
        title="EMR Log Guard re-scan",
        about=(
            ("Started", moment(rescan.started)),
            ("Finished", moment(report.finished)),
            ("Scope", about(rescan)),
            ("Execution", rescan.execution),
            ("Compared with", difference.last or "nothing: it is the first re-scan"),
        ),
        verdict=report.compliance,
        warnings=tuple(_warnings(report)),
        figures=tuple(_figures(report)),
        trend=trend(report.runs),
        count_tables=(by_rule(difference.unresolved, _OPEN), *_by_place(report)),
        clusters=clusters,
        clusters_note="Clusters with open findings. The others are in results/*.ndjson beside this "
        "report.",
        new=frozenset(finding.id for finding in difference.new) if difference.last else frozenset(),
        has_history=True,
        resolved=tuple(map(_named, difference.resolved)),
        undetermined=(*missed, *undetermined(clusters)),
        exemptions=shown_exemptions(report.exemptions, difference.unresolved, report.finished),
        coverage=(_buckets(report), _failed(report), *_denied(report)),
        not_evaluated=report.not_evaluated,
        advice=report.advice,
    )


def _named(finding_id: str) -> str:
    arn, _, rule_id = finding_id.rpartition("#")
    return f"{rule_id} of {arn.rpartition('/')[2]}"


def _warnings(report: RescanReport) -> Iterator[str]:
    if report.failed:
        yield f"{len(report.failed):,} of {report.shards:,} shards could not be scanned."
    if report.denied:
        denied = len(report.denied)
        yield f"{denied:,} of {report.shards:,} shards could not be listed: access denied."


def _figures(report: RescanReport) -> Iterator[Figure]:
    figures, difference = report.figures, report.difference
    broken = sum(figures.broken.values())
    yield Figure(
        "non-compliant findings", f"{broken:,}", Compliance.NON_COMPLIANT if broken else ""
    )
    unknown = figures.undetermined
    yield Figure("not determined", f"{unknown:,}", Compliance.INSUFFICIENT_DATA if unknown else "")
    yield Figure("exempt", f"{figures.exempt:,}")
    yield Figure("new since the last re-scan", f"{len(difference.new):,}")
    yield Figure("resolved since then", f"{len(difference.resolved):,}")
    yield Figure("clusters evaluated", f"{sum(report.clusters.values()):,}")
    share = CountRow("", report.clusters).share
    if share:
        yield Figure("of clusters are compliant", share)
    if report.rescan.scope.log_objects:
        yield Figure("log objects checked", f"{sum(report.log_objects.values()):,}")


def _by_place(report: RescanReport) -> Iterator[CountTable]:
    here = Arn.of(report.rescan.execution)
    place = f"{here.account} {here.region}"
    for counted, counts in (("clusters", report.clusters), ("log objects", report.log_objects)):
        if any(counts.values()):
            yield CountTable(
                title=f"By account and Region: {counted}",
                counted=counted,
                columns=_OF_CLUSTERS,
                first="Account and Region",
                rows=(CountRow(place, counts),),
            )


def _clusters(findings: Iterable[Finding]) -> Iterator[ShownCluster]:
    by_cluster: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_cluster[finding.cluster_id].append(finding)
    for cluster_id, found in by_cluster.items():
        first = found[0]
        counted = [f.compliance for f in found if f.status is not Status.EXEMPT]
        yield ShownCluster(
            id=cluster_id,
            name=first.bucket or first.cluster_name or "",
            account=first.account,
            region=first.region,
            state="",
            compliance=overall(counted or [Compliance.COMPLIANT]),
            findings=most_severe_first(found),
        )


def _buckets(report: RescanReport) -> Coverage:
    checked = ", ".join(report.checked_buckets)
    return Coverage(
        "Log buckets",
        (
            "Bucket",
            "Checked",
            "Cluster folders",
            "Objects listed in this run",
            "Fully scanned since",
            "Last scanned",
        ),
        tuple(_bucket(each, report) for each in report.buckets),
        f"Only these are checked: {checked}." if checked else "Every bucket that clusters log to.",
    )


def _bucket(bucket: BucketCoverage, report: RescanReport) -> tuple[str, ...]:
    checked = not report.checked_buckets or bucket.bucket in report.checked_buckets
    return (
        bucket.bucket,
        "yes" if checked else "no",
        f"{bucket.clusters:,}",
        f"{bucket.listed:,}",
        moment(bucket.complete) if bucket.complete else "not yet",
        moment(bucket.latest) if bucket.latest else "never",
    )


def _failed(report: RescanReport) -> Coverage:
    return Coverage(
        "Failed shards",
        ("Shard", "About", "Why"),
        tuple((each.shard, each.title, each.why) for each in report.failed),
        f"{len(report.failed):,} of {report.shards:,} shards failed.",
    )


def _denied(report: RescanReport) -> Iterator[Coverage]:
    if report.denied:
        yield Coverage(
            "Shards with access denied",
            ("Shard", "About", "Why"),
            tuple((each.shard, each.title, each.why) for each in report.denied),
            f"{len(report.denied):,} of {report.shards:,} shards could not be listed.",
        )
