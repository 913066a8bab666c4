"""An audit as CSV, for spreadsheets: a row a finding, and a row for what could not be read.

No cell can become a formula: https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
import re
from collections.abc import Iterator

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditedCluster, AuditReport
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.rendering.escape import plain

COLUMNS = (
    "account",
    "region",
    "cluster_id",
    "cluster_name",
    "cluster_state",
    "cluster_compliance",
    "rule_id",
    "rule_name",
    "compliance",
    "severity",
    "status",
    "occurrences",
    "summary",
    "remediation",
    "runbook",
)
_SIGNS = "=+\\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
"""What a formula begins with: a minus, small and full-width forms among them."""
_FORMULA = re.compile(rf"(^|[;\n])(?=[\s\"]*[{_SIGNS}])")
"""Where a formula would begin. A spreadsheet that separates cells by semicolons, as it does where
commas are decimal, begins a cell behind each of them, and a row behind each line break."""


def audit_csv(report: AuditReport) -> str:
    """Write the report; lines end as in RFC 4180."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for row in _rows(report):
        writer.writerow({column: _cell(value) for column, value in row.items()})
    return text.getvalue()


def _rows(report: AuditReport) -> Iterator[dict[str, str]]:
    unknown = {"compliance": str(Compliance.INSUFFICIENT_DATA)}
    for problem in report.problems:
        yield {**unknown, "summary": problem}
    for audited in report.clusters:
        cluster = _cluster(audited)
        for reason in audited.unresolved:
            yield {**cluster, **unknown, "summary": reason}
        for finding in audited.findings:
            yield {
                **cluster,
                "rule_id": finding.rule_id,
                "rule_name": finding.rule_name,
                "compliance": finding.compliance,
                "severity": finding.severity,
                "status": finding.status if finding.needs_attention else "",
                "occurrences": str(finding.occurrences),
                "summary": finding.summary,
                "remediation": finding.remediation,
                "runbook": finding.runbook,
            }


def _cluster(audited: AuditedCluster) -> dict[str, str]:
    cluster = audited.cluster
    arn = Arn.of(cluster.arn)
    return {
        "account": arn.account,
        "region": arn.region,
        "cluster_id": cluster.id,
        "cluster_name": cluster.name,
        "cluster_state": cluster.state,
        "cluster_compliance": audited.compliance,
    }


def _cell(value: str) -> str:
    return _FORMULA.sub(r"\1'", plain(value, keep="\n"))
