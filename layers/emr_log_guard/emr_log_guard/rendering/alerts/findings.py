"""The findings of one cluster, for a terminal: the most severe first, worded as in an alert."""

from collections.abc import Iterator, Sequence

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.rendering.alerts.text import finding_lines
from emr_log_guard.rendering.escape import plain


def findings_text(findings: Sequence[Finding], compliance: Compliance) -> str:
    """Write the findings of one cluster, at least one, under the overall result.

    Rules that did not apply are left out.
    """
    return "\n".join(_lines(findings, compliance)) + "\n"


def _lines(findings: Sequence[Finding], compliance: Compliance) -> Iterator[str]:
    first = findings[0]
    name = f"{plain(first.cluster_name)} ({first.cluster_id})" if first.cluster_name else None
    yield f"EMR cluster {name or first.cluster_id} is {compliance}"
    yield f"Account {first.account}, {first.region}"
    open_findings = sorted(
        (f for f in findings if f.needs_attention and f.status is Status.OPEN),
        key=lambda f: (f.compliance is not Compliance.NON_COMPLIANT, -f.severity.rank, f.rule_id),
    )
    for index, finding in enumerate(open_findings):
        yield ""
        yield f"{finding.compliance}"
        yield from finding_lines(finding, open_findings[:index])
    others = [
        f
        for f in findings
        if f not in open_findings and f.compliance is not Compliance.NOT_APPLICABLE
    ]
    if others:
        yield ""
    for finding in others:
        verdict = f"{finding.compliance}, but exempt" if finding.needs_attention else "COMPLIANT"
        yield f"{finding.rule_id} {finding.rule_name}: {verdict}: {plain(finding.summary)}"
