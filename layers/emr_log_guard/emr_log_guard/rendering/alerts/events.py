"""An alert as EventBridge events.

Their details are a contract: docs/events/*.schema.json
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SOURCE = "emr-log-guard"
SCHEMA = "emr-log-guard/event/1"
FINDING_EVENTS = {
    "finding.opened": "Finding Opened",
    "finding.reopened": "Finding Reopened",
    "finding.resolved": "Finding Resolved",
}
"""One event a finding."""
ENFORCEMENT_EVENTS = {
    "enforcement.scheduled": "Enforcement Scheduled",
    "enforcement.done": "Enforcement Done",
    "enforcement.skipped": "Enforcement Skipped",
    "enforcement.failed": "Enforcement Failed",
    "remediation.done": "Remediation Done",
    "remediation.failed": "Remediation Failed",
}
"""One event a cluster, with the findings that it is about."""
_CLUSTER = (
    "account",
    "region",
    "cluster_id",
    "cluster_name",
    "cluster_arn",
    "mode",
    "next_step",
    "detail",
    "findings",
)


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event, as it is put on a bus."""

    detail_type: str
    cluster_arn: str
    detail: Mapping[str, Any]


def bus_events(alert: Mapping[str, Any], alert_id: str) -> Iterator[BusEvent]:
    """Make events of an alert's JSON, without the rendered texts.

    Args:
        alert: An alert in the schema `emr-log-guard/alert/1`.
        alert_id: The alert's id. Events are delivered at least once: consumers de-duplicate by it.

    """
    kind, about = alert["kind"], {"schema": SCHEMA, "alert_id": alert_id}
    if kind in FINDING_EVENTS:
        step = {"mode": alert["mode"], "next_step": alert["next_step"]}
        for finding in alert["findings"]:
            detail = {**about, **finding, **step}
            yield BusEvent(FINDING_EVENTS[kind], finding["cluster_arn"], detail)
    elif kind in ENFORCEMENT_EVENTS:
        detail = about | {name: alert[name] for name in _CLUSTER}
        yield BusEvent(ENFORCEMENT_EVENTS[kind], alert["cluster_arn"], detail)
