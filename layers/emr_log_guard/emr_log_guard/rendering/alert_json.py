"""An alert as JSON for machines, and as the message that SNS splits by protocol.

https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.decide import Alert
from emr_log_guard.domain.findings import Finding
from emr_log_guard.rendering.alert_text import alert_subject, alert_text

SCHEMA = "emr-log-guard/alert/1"
_MACHINES = ("sqs", "lambda", "http", "https")


def alert_messages(alert: Alert) -> str:
    """Write the message of `MessageStructure=json`: text for people, JSON for machines."""
    text = alert_text(alert)
    machine = json.dumps(alert_json(alert), ensure_ascii=False)
    return json.dumps(
        {"default": text, "email": text, **dict.fromkeys(_MACHINES, machine)}, ensure_ascii=False
    )


def alert_json(alert: Alert) -> dict[str, object]:
    """Write an alert in the schema `emr-log-guard/alert/1`."""
    return {
        "schema": SCHEMA,
        "kind": alert.kind,
        "subject": alert_subject(alert),
        "text": alert_text(alert),
        **_place(alert),
        "cluster_id": alert.cluster_arn.rpartition("/")[2],
        "cluster_name": alert.cluster_name,
        "cluster_arn": alert.cluster_arn,
        "mode": alert.mode,
        "next_step": alert.next_step,
        "detail": alert.detail,
        "findings": [finding_json(finding) for finding in alert.findings],
    }


def alert_attributes(alert: Alert) -> Mapping[str, str]:
    """Name the message attributes that subscribers filter by; none is empty.

    With several findings, severity and rule id are those of the first, the gravest.
    """
    attributes = {"kind": str(alert.kind), **_place(alert)}
    if alert.findings:
        attributes |= {
            "severity": str(alert.findings[0].severity),
            "rule_id": alert.findings[0].rule_id,
        }
    return attributes


def finding_json(finding: Finding) -> dict[str, object]:
    """Write a finding's fields, times in ISO 8601 UTC."""
    return {field.name: _value(getattr(finding, field.name)) for field in fields(finding)}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def _place(alert: Alert) -> dict[str, str]:
    arn = Arn.parse(alert.cluster_arn)
    return {"account": arn.account, "region": arn.region} if arn else {}
