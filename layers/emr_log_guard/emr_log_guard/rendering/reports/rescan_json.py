"""A re-scan's report as JSON, its findings with the fields that all findings have."""

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.rescan_report import RescanReport
from emr_log_guard.rendering.alerts.alert_json import finding_json

SCHEMA = "emr-log-guard/rescan/1"


def counts_json(report: RescanReport) -> dict[str, object]:
    """Write the run in figures."""
    difference = report.difference
    return {
        "clusters": {each.value: report.clusters.get(each, 0) for each in Compliance},
        "clusters_described": report.described,
        "log_objects": {each.value: report.log_objects.get(each, 0) for each in Compliance},
        "log_objects_listed": report.listed,
        "shards": report.shards,
        "failed_shards": len(report.failed),
        "denied_shards": len(report.denied),
        "open": len(difference.open),
        "new": len(difference.new),
        "still_open": len(difference.still_open),
        "resolved": len(difference.resolved),
        "undetermined": len(difference.undetermined),
        "exempt": len(difference.exempt),
    }


def report_json(report: RescanReport) -> dict[str, object]:
    """Write the whole report in the schema `emr-log-guard/rescan/1`, times in ISO 8601 UTC."""
    rescan, difference = report.rescan, report.difference
    return {
        "schema": SCHEMA,
        "execution": rescan.execution,
        "started": f"{rescan.started:%Y-%m-%dT%H:%M:%SZ}",
        "finished": f"{report.finished:%Y-%m-%dT%H:%M:%SZ}",
        "scope": rescan.scope,
        "deep": rescan.deep,
        "compliance": report.compliance,
        "compared_with": difference.last,
        "counts": counts_json(report),
        "findings": [finding_json(finding) for finding in difference.unresolved],
        "new": [finding.id for finding in difference.new],
        "still_open": [finding.id for finding in difference.still_open],
        "exempt": [finding.id for finding in difference.exempt],
        "resolved": list(difference.resolved),
        "undetermined": [finding.id for finding in difference.undetermined],
        "failed_shards": [
            {"shard": each.shard, "about": each.title, "reason": each.why} for each in report.failed
        ],
        "denied_shards": [
            {"shard": each.shard, "about": each.title, "reason": each.why} for each in report.denied
        ],
        "advice": list(report.advice),
    }
