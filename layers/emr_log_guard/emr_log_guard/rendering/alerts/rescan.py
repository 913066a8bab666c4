"""The alert `rescan.done`, as text and JSON."""

import json
from collections.abc import Mapping

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.decide import AlertKind
from emr_log_guard.domain.rescan_report import RescanReport
from emr_log_guard.rendering.alerts.alert_json import SCHEMA, by_protocol, cut
from emr_log_guard.rendering.escape import ascii_line
from emr_log_guard.rendering.reports.rescan_json import counts_json
from emr_log_guard.rendering.reports.rescan_text import rescan_headline, rescan_text

_LIMIT = 99
_NAMED = 10
"""How many findings and shards are named; the report has all."""
_TEXT = 4_000
"""Characters of the text: with all names, an alert stays below what SNS takes."""


def rescan_subject(report: RescanReport) -> str:
    """Write the headline: one line of printable ASCII."""
    return ascii_line(rescan_headline(report), _LIMIT)


def rescan_attributes(report: RescanReport) -> Mapping[str, str]:
    """Name the message attributes that subscribers filter by."""
    here = Arn.of(report.rescan.execution)
    attributes = {
        "kind": str(AlertKind.RESCAN_DONE),
        "account": here.account,
        "region": here.region,
    }
    if report.difference.new:
        attributes["severity"] = str(report.difference.new[0].severity)
    return attributes


def rescan_messages(report: RescanReport) -> str:
    """Write the message of `MessageStructure=json`."""
    here, difference = Arn.of(report.rescan.execution), report.difference
    headline, _, below = rescan_text(report).partition("\n")
    place = f"Account {here.account}, {here.region}. Finished {report.finished:%Y-%m-%d %H:%M} UTC."
    text = cut(f"{headline}\n{place} All findings: {report.place}\n{below}", _TEXT)
    machine = json.dumps(
        {
            "schema": SCHEMA,
            "kind": AlertKind.RESCAN_DONE,
            "subject": rescan_subject(report),
            "text": text,
            "account": here.account,
            "region": here.region,
            "cluster_id": None,
            "cluster_name": None,
            "cluster_arn": None,
            "execution": report.rescan.execution,
            "scope": report.rescan.scope,
            "deep": report.rescan.deep,
            "compliance": report.compliance,
            "report": report.place,
            "compared_with": difference.last,
            "counts": counts_json(report),
            "new": [finding.id for finding in difference.new[:_NAMED]],
            "resolved": list(difference.resolved[:_NAMED]),
            "undetermined": [finding.id for finding in difference.undetermined[:_NAMED]],
            "failed_shards": [
                {"shard": each.shard, "about": cut(each.title, 150), "reason": cut(each.why, 300)}
                for each in report.failed[:_NAMED]
            ],
            "denied_shards": [
                {"shard": each.shard, "about": cut(each.title, 150), "reason": cut(each.why, 300)}
                for each in report.denied[:_NAMED]
            ],
            "advice": list(report.advice),
            "findings": [],  # each had its own alert when it opened
        },
        ensure_ascii=False,
    )
    return by_protocol(text, machine)
