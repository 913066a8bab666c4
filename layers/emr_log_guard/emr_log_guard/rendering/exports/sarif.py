"""An audit as SARIF 2.1.0, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support
"""

import json
from datetime import UTC, datetime
from typing import Any

from emr_log_guard.domain.audit import AuditedCluster, AuditReport
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.version import version
from emr_log_guard.rules import ALL_RULES
from emr_log_guard.rules.rule import Rule

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
_SCORES = {
    Severity.LOW: "3.0",
    Severity.MEDIUM: "5.0",
    Severity.HIGH: "8.0",
    Severity.CRITICAL: "9.5",
}
"""What GitHub translates into the same severities: above 9.0 is critical, 7.0 high, 4.0 medium."""


def audit_sarif(report: AuditReport) -> str:
    """Write the report: violations (`fail`), and what could not be determined (`open`)."""
    rules = [rule for rule in ALL_RULES if rule.id in report.rules]
    index = {rule.id: place for place, rule in enumerate(rules)}
    pages = _pages(report)
    run = {
        "tool": {
            "driver": {
                "name": "emr-log-guard",
                "version": version(),
                **({"informationUri": min(pages.values()).rpartition("/")[0]} if pages else {}),
                "rules": [_rule(rule, pages.get(rule.id)) for rule in rules],
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


def _pages(report: AuditReport) -> dict[str, str]:
    """Return the URLs of the rules' runbooks, as far as the report has any."""
    return {
        finding.rule_id: finding.runbook
        for audited in report.clusters
        for finding in audited.findings
        if finding.runbook.startswith("https://")
    }


def _rule(rule: Rule[Any], page: str | None) -> dict[str, object]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"Non-compliant: {rule.violation}. {rule.why}"},
        **({"helpUri": page} if page else {}),
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["security"], "security-severity": _SCORES[rule.severity]},
    }


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
                # GitHub rejects a file in which one location has a scheme, such as arn:
                "physicalLocation": {
                    "artifactLocation": {"uri": cluster.arn.replace(":", "/")},
                    "region": {"startLine": 1},
                },
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
