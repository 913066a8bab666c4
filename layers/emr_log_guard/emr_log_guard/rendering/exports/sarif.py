"""An audit as SARIF 2.1.0, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import json
from datetime import UTC, datetime

from emr_log_guard.domain.audit import AuditedCluster, AuditReport
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.version import version
from emr_log_guard.rules import ALL_RULES

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}


def audit_sarif(report: AuditReport) -> str:
    """Write the report: violations (`fail`), and what could not be determined (`open`)."""
    rules = [rule for rule in ALL_RULES if rule.id in report.rules]
    index = {rule.id: place for place, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "emr-log-guard",
                "version": version(),
                "rules": [
                    {
                        "id": rule.id,
                        "name": rule.name,
                        "shortDescription": {"text": rule.name},
                        "fullDescription": {"text": rule.why},
                        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
                    }
                    for rule in rules
                ],
            }
        },
        "invocations": [_invocation(report)],
        "results": [
            _result(finding, audited, index[finding.rule_id])
            for audited in report.clusters
            for finding in audited.findings
            if finding.needs_attention
        ],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _invocation(report: AuditReport) -> dict[str, object]:
    notes = [("error", problem) for problem in report.problems]
    notes += [
        ("error", f"{audited.cluster.id}: {reason}")
        for audited in report.clusters
        for reason in audited.unresolved
    ]
    notes += [
        ("note", f"{rule.id} was not evaluated: {rule.reason}") for rule in report.not_evaluated
    ]
    notes += [("note", advice) for advice in report.advice]
    return {
        "executionSuccessful": not any(level == "error" for level, _ in notes),
        "exitCode": int(report.exit_status),
        "startTimeUtc": _time(report.started),
        "endTimeUtc": _time(report.finished),
        "toolExecutionNotifications": [
            {"level": level, "message": {"text": plain(text)}} for level, text in notes
        ],
    }


def _result(finding: Finding, audited: AuditedCluster, rule_index: int) -> dict[str, object]:
    broken = finding.compliance is Compliance.NON_COMPLIANT
    cluster = audited.cluster
    name = plain(cluster.name)
    result: dict[str, object] = {
        "ruleId": finding.rule_id,
        "ruleIndex": rule_index,
        "kind": "fail" if broken else "open",
        "level": _LEVELS[finding.severity] if broken else "none",
        "message": {"text": f"EMR cluster {name} ({cluster.id}): {plain(finding.summary)}"},
        "occurrenceCount": finding.occurrences,
        "partialFingerprints": {"findingId/v1": finding.id},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": cluster.arn}},
                "logicalLocations": [
                    {"name": name, "fullyQualifiedName": cluster.arn, "kind": "resource"}
                ],
            }
        ],
        "properties": {"severity": finding.severity, "remediation": finding.remediation},
    }
    if finding.status is Status.EXEMPT:
        reason = str(finding.evidence.get("exempt_reason"))
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": plain(reason)}
        ]
    return result


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
