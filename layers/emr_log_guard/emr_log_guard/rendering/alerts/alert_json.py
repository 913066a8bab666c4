"""An alert as JSON for machines, and as the message that SNS splits by protocol.

https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html
"""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import lru_cache

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.decide import Alert
from emr_log_guard.domain.findings import Evidence, Finding
from emr_log_guard.domain.policy import Exemption
from emr_log_guard.rendering.alerts.text import alert_subject, alert_text, place_of
from emr_log_guard.rendering.escape import plain

SCHEMA = "emr-log-guard/alert/1"
_MACHINES = ("sqs", "lambda", "http", "https")
_BYTES = 250_000
"""SNS refuses messages above 256 KiB, attributes included."""
_LONGEST = (2_000, 500, 100, 25)
"""Characters that each text may keep; tried in turn until the alert fits."""
_INTERNAL = frozenset({"once_lasting", "over"})
"""Fields that only decisions need: not part of the contract."""
_FINDING = tuple(field.name for field in fields(Finding) if field.name not in _INTERNAL)


def by_protocol(text: str, machine: str) -> str:
    """Write the message of `MessageStructure=json`: text for e-mail, JSON for other protocols.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    messages = {"default": text, "email": text, **dict.fromkeys(_MACHINES, machine)}
    return json.dumps(messages, ensure_ascii=False)


def alert_messages(alert: Alert) -> str:
    """Write the message of `MessageStructure=json`: text for e-mail, JSON for other protocols.

    User-controlled texts are truncated where the message would exceed the limit of SNS: a shortened
    alert is better than none.
    """
    message = _messages(alert)
    for longest in _LONGEST:
        if len(message.encode()) <= _BYTES:
            break
        message = _messages(_cut_alert(alert, longest))
    return message


def _messages(alert: Alert) -> str:
    text = alert_text(alert)
    machine = json.dumps(alert_json(alert), ensure_ascii=False)
    return by_protocol(text, machine)


def alert_json(alert: Alert) -> dict[str, object]:
    """Write an alert in the schema `emr-log-guard/alert/1`."""
    return {
        "schema": SCHEMA,
        "id": alert.id,
        "kind": alert.kind,
        "subject": alert_subject(alert),
        "text": alert_text(alert),
        "stack": alert.stack,
        **_place(alert),
        "cluster_id": alert.cluster_arn.rpartition("/")[2],
        "cluster_name": alert.cluster_name,
        "cluster_arn": alert.cluster_arn,
        "cluster_tags": dict(alert.cluster_tags),
        "mode": alert.mode,
        "next_step": alert.next_step,
        "detail": alert.detail,
        "expired_exemptions": [exemption_json(each) for each in alert.expired_exemptions],
        "findings": [finding_json(finding) for finding in alert.findings],
    }


def alert_attributes(alert: Alert) -> Mapping[str, str]:
    """Name the message attributes that subscribers filter by; none is empty.

    With several findings, severity and rule id are those of the first, the most severe.
    """
    attributes = {"kind": str(alert.kind), **_place(alert)}
    if alert.id:
        attributes["id"] = alert.id
    if alert.findings:
        attributes |= {
            "severity": str(alert.findings[0].severity),
            "rule_id": alert.findings[0].rule_id,
        }
    return attributes


def finding_json(finding: Finding) -> dict[str, object]:
    """Write a finding's fields, times in ISO 8601 UTC."""
    return {name: _value(getattr(finding, name)) for name in _FINDING}


def exemption_json(exemption: Exemption) -> dict[str, object]:
    """Write an exemption's fields as the policy document has them."""
    match = exemption.cluster
    given = {"id": match.id, "name": match.name, "tag": dict(match.tag) if match.tag else None}
    return {
        "cluster": {name: value for name, value in given.items() if value is not None},
        "rules": sorted(exemption.rules),
        "until": exemption.until.isoformat(),
        "reason": exemption.reason,
        "approved_by": exemption.approved_by,
    }


def _value(value: object) -> object:
    return _time(value) if isinstance(value, datetime) else value


@lru_cache(maxsize=16)
def _time(moment: datetime) -> str:
    """Write a moment; the findings of a check have the same ones."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _place(alert: Alert) -> dict[str, str]:
    place = dict(zip(("account", "region"), place_of(alert), strict=True))
    return place if Arn.parse(alert.cluster_arn) else {}


def _cut_alert(alert: Alert, longest: int) -> Alert:
    return replace(
        alert,
        cluster_name=_cut_name(alert.cluster_name, longest),
        detail=cut(alert.detail, longest),
        findings=tuple(_cut_finding(finding, longest) for finding in alert.findings),
        cluster_tags=_fitting(alert.cluster_tags, longest),
    )


def _fitting(tags: Mapping[str, str], longest: int) -> dict[str, str]:
    """Keep as many tags as fit, each whole: a truncated tag would match the wrong route."""
    kept: dict[str, str] = {}
    for name, value in tags.items():
        longest -= len(plain(name)) + len(plain(value))
        if longest < 0:
            break
        kept[name] = value
    return kept


def _cut_finding(finding: Finding, longest: int) -> Finding:
    fix = finding.remediation
    return replace(
        finding,
        cluster_name=_cut_name(finding.cluster_name, longest),
        summary=cut(finding.summary, longest),
        evidence=_cut_evidence(finding.evidence, longest),
        # A truncated command is worse than none.
        remediation=fix
        if len(plain(fix)) <= longest
        else "# Too long for an alert: see the runbook.",
    )


def _cut_evidence(evidence: Evidence, longest: int) -> Evidence:
    shorter: dict[str, str | int | bool | tuple[str, ...] | None] = {}
    for name, value in evidence.items():
        match value:
            case str():
                shorter[name] = cut(value, longest)
            case tuple():
                shorter[name] = tuple(cut(item, longest) for item in value)
            case _:
                shorter[name] = value
    return shorter


def _cut_name(name: str | None, longest: int) -> str | None:
    return None if name is None else cut(name, longest)


def cut(text: str, longest: int) -> str:
    """Cut a text so that it is short even when every character of it is shown as an escape."""
    if len(plain(text)) <= longest:
        return text
    kept = text[:longest]
    while len(plain(kept)) > longest:
        kept = kept[: len(kept) // 2]
    return f"{kept}... ({len(text) - len(kept)} more characters)"
