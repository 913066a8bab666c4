"""An audit as events of the Open Cybersecurity Schema Framework, one per line.

The class is Compliance Finding: https://schema.ocsf.io/1.8.0/classes/compliance_finding?profiles=cloud
"""

import json
from collections.abc import Iterator
from datetime import datetime

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditedCluster, AuditReport, AuditTarget
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.version import version

SCHEMA_VERSION = "1.8.0"
_CATEGORY, _CLASS, _CREATE = 2, 2003, 1
_AWS_ACCOUNT = 10
_UNKNOWN, _NEW, _SUPPRESSED = (0, "Unknown"), (1, "New"), (3, "Suppressed")
_INFORMATIONAL = (1, "Informational")
_SEVERITIES = {
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
_RESULTS = {
    Compliance.COMPLIANT: (1, "Pass"),
    Compliance.NON_COMPLIANT: (3, "Fail"),
    Compliance.INSUFFICIENT_DATA: _UNKNOWN,
}


def audit_ocsf(report: AuditReport) -> Iterator[str]:
    """Write what passed, failed or is unknown; rules that did not apply are left out.

    A cluster, or an account and Region, that could not be read is an event, too.
    """
    for event in _events(report):
        yield json.dumps(event, ensure_ascii=False) + "\n"


def _events(report: AuditReport) -> Iterator[dict[str, object]]:
    for gap in report.gaps:
        yield _unread(plain(gap), plain(gap), report.finished) | {"cloud": {"provider": "AWS"}}
    for place in report.places:
        if place.problem:
            yield _unread_place(place, report.finished)
    for audited in report.clusters:
        for reason in audited.unresolved:
            yield _unread_cluster(audited, reason, report.finished)
        for finding in audited.findings:
            if finding.compliance in _RESULTS:
                yield _event(finding, audited, report.finished)


def _event(finding: Finding, audited: AuditedCluster, now: datetime) -> dict[str, object]:
    passed = finding.compliance is Compliance.COMPLIANT
    result = _RESULTS[finding.compliance]
    summary = plain(finding.summary)
    event = _frame(
        uid=finding.id,
        title=f"{finding.rule_id} {finding.rule_name}",
        message=summary,
        severity=_INFORMATIONAL if passed else _SEVERITIES[finding.severity],
        status=_SUPPRESSED if finding.status is Status.EXEMPT else _NEW,
        now=now,
    )
    event["finding_info"] = {
        "uid": finding.id,
        "title": f"{finding.rule_id} {finding.rule_name}",
        "desc": summary,
        "first_seen_time": _time(finding.first_seen),
        "last_seen_time": _time(finding.last_seen),
    }
    event |= {
        "count": finding.occurrences,
        "compliance": {
            "control": finding.rule_id,
            "desc": finding.rule_name,
            "standards": ["EMR Log Guard"],
            "status_id": result[0],
            "status": result[1],
            "status_code": str(finding.compliance),
            "status_details": [summary],
        },
        "cloud": _cloud(finding.account, finding.region),
        "resources": [_resource(audited)],
        "unmapped": {
            "evidence": {name: _evidence(value) for name, value in finding.evidence.items()},
            "launched_by": None if finding.launched_by is None else plain(finding.launched_by),
        },
    }
    if not passed and finding.remediation:
        linked = finding.runbook.startswith("https://")
        event["remediation"] = {
            "desc": plain(finding.remediation, keep="\n"),
            **({"references": [finding.runbook]} if linked else {}),
        }
    return event


def _unread_cluster(audited: AuditedCluster, reason: str, now: datetime) -> dict[str, object]:
    arn = Arn.of(audited.cluster.arn)
    return _unread(audited.cluster.arn, plain(reason), now) | {
        "cloud": _cloud(arn.account, arn.region),
        "resources": [_resource(audited)],
    }


def _unread_place(place: AuditTarget, now: datetime) -> dict[str, object]:
    where = f"{place.account or place.role_arn or 'the account'} {place.region}"
    return _unread(where, plain(place.problem or ""), now) | {
        "cloud": _cloud(place.account, place.region),
    }


def _unread(about: str, reason: str, now: datetime) -> dict[str, object]:
    event = _frame(
        uid=f"{about}#unread",
        title="EMR clusters could not be read",
        message=reason,
        severity=_UNKNOWN,
        status=_NEW,
        now=now,
    )
    status_id, status = _UNKNOWN
    return event | {
        "compliance": {
            "standards": ["EMR Log Guard"],
            "status_id": status_id,
            "status": status,
            "status_code": str(Compliance.INSUFFICIENT_DATA),
            "status_details": [reason],
        },
    }


def _frame(  # noqa: PLR0913 - what every event has
    *,
    uid: str,
    title: str,
    message: str,
    severity: tuple[int, str],
    status: tuple[int, str],
    now: datetime,
) -> dict[str, object]:
    return {
        "category_uid": _CATEGORY,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Compliance Finding",
        "activity_id": _CREATE,
        "activity_name": "Create",
        "type_uid": _CLASS * 100 + _CREATE,
        "type_name": "Compliance Finding: Create",
        "time": _time(now),
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": status[0],
        "status": status[1],
        "message": message,
        "metadata": {
            "version": SCHEMA_VERSION,
            "profiles": ["cloud"],
            "product": {
                "name": "EMR Log Guard",
                "uid": "emr-log-guard",
                "version": version(),
            },
        },
        "finding_info": {"uid": uid, "title": title, "desc": message},
    }


def _cloud(account: str | None, region: str) -> dict[str, object]:
    cloud: dict[str, object] = {"provider": "AWS", "region": region}
    if account is not None:
        cloud["account"] = {"uid": account, "type_id": _AWS_ACCOUNT, "type": "AWS Account"}
    return cloud


def _resource(audited: AuditedCluster) -> dict[str, object]:
    cluster = audited.cluster
    arn = Arn.of(cluster.arn)
    return {
        "uid": cluster.arn,
        "name": plain(cluster.name) or cluster.id,
        "type": "AWS::EMR::Cluster",
        "region": arn.region,
        "cloud_partition": arn.partition,
    }


def _evidence(value: object) -> object:
    match value:
        case str():
            return plain(value)
        case tuple():
            return [plain(str(each)) for each in value]
        case _:
            return value


def _time(moment: datetime) -> int:
    """Count milliseconds since 1970."""
    return int(moment.timestamp() * 1000)
