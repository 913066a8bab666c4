"""An audit as JSON: the schema `emr-log-guard/audit/1`, for other tools."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from emr_log_guard.domain.audit import AuditedCluster, AuditReport
from emr_log_guard.rendering.alerts.alert_json import finding_json

SCHEMA = "emr-log-guard/audit/1"


_CLUSTERS = '\n  "clusters": ['
"""The text before the clusters; JSON escapes line breaks, so it occurs once."""


def audit_json(report: AuditReport) -> Iterator[str]:
    """Write the report, a cluster at a time: there may be thousands.

    `account` and `region` are null when there are several.
    """
    before, clusters, after = _indented(_document(report)).partition(_CLUSTERS)
    yield before + clusters
    separator = ""
    for audited in report.clusters:
        yield f"{separator}\n    {_indented(_cluster(audited)).replace('\n', '\n    ')}"
        separator = ","
    yield f"{'\n  ' if separator else ''}{after}\n"


def _indented(value: object) -> str:
    return json.dumps(value, indent=2)


def _document(report: AuditReport) -> dict[str, object]:
    """Give all but the clusters."""
    return {
        "schema": SCHEMA,
        "account": _only(place.account for place in report.places),
        "region": _only(place.region for place in report.places),
        "started": _time(report.started),
        "finished": _time(report.finished),
        "partial": report.interrupted,
        "problems": list(report.problems),
        "places": [
            {
                "account": place.account,
                "region": place.region,
                "role_arn": place.role_arn,
                "clusters_listed": place.listed,
                "problem": place.problem,
            }
            for place in report.places
        ],
        "rules": list(report.rules),
        "rules_not_judged": [
            {"rule_id": rule.id, "rule_name": rule.name, "reason": rule.reason}
            for rule in report.not_evaluated
        ],
        "clusters": [],
        "totals": {str(name): count for name, count in report.totals.items()},
        "api_calls": dict(report.api_calls),
        "advice": list(report.advice),
    }


def _cluster(audited: AuditedCluster) -> dict[str, object]:
    cluster = audited.cluster
    return {
        "id": cluster.id,
        "name": cluster.name,
        "arn": cluster.arn,
        "state": cluster.state,
        "compliance": audited.compliance,
        "unresolved": list(audited.unresolved),
        "log_objects_checked": audited.objects,
        "findings": [finding_json(finding) for finding in audited.findings],
    }


def _only(values: Iterable[str | None]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
