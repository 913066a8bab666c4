"""A finding in the AWS Security Finding Format, as Security Hub takes it.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html
https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

from emr_log_guard.domain.arn import Arn, partition_of
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.workflow_state import WANTED
from emr_log_guard.rendering.escape import plain

GENERATOR = "emr-log-guard"
"""`GeneratorId` is this, a slash and the rule's id."""

_TYPE = "Software and Configuration Checks/AWS Security Best Practices"
_COMPLIANCE = {
    Compliance.COMPLIANT: "PASSED",
    Compliance.NON_COMPLIANT: "FAILED",
    Compliance.INSUFFICIENT_DATA: "WARNING",
    Compliance.NOT_APPLICABLE: "NOT_AVAILABLE",
}
_TITLE, _DESCRIPTION, _REASON, _RECOMMENDATION, _DETAIL, _FIELD = 256, 1024, 1024, 512, 1024, 2048
"""The most characters that each text may have."""
_FIELDS = 50
_NO_ISSUE = ("PASSED", "NOT_AVAILABLE")


def asff(
    finding: Finding, updated: datetime, *, cluster_terminated: bool = False
) -> dict[str, object]:
    """Write a finding in ASFF.

    Args:
        finding: The finding, of any status and compliance.
        updated: When it is written. Security Hub ignores what is not newer than its copy.
        cluster_terminated: Whether only the cluster's termination resolved it: the record is
            archived.

    """
    over = cluster_terminated and finding.status is Status.RESOLVED
    status, reason = _verdict(finding, over=over)
    label = "INFORMATIONAL" if status in _NO_ISSUE else str(finding.severity)
    severity = {"Label": label, "Original": str(finding.severity)}
    return {
        "SchemaVersion": "2018-10-08",
        "Id": finding.id,
        "ProductArn": product_arn(finding.account, finding.region),
        "GeneratorId": f"{GENERATOR}/{finding.rule_id}",
        "AwsAccountId": finding.account,
        "Types": [_TYPE],
        "FirstObservedAt": _time(finding.first_seen),
        "LastObservedAt": _time(finding.last_seen),
        "CreatedAt": _time(finding.first_seen),
        "UpdatedAt": _time(updated),
        "Severity": severity,
        "Title": _cut(_title(finding), _TITLE),
        "Description": _cut(plain(finding.summary), _DESCRIPTION) or finding.rule_name,
        "Remediation": {"Recommendation": _recommendation(finding)},
        "ProductFields": dict(islice(_fields(finding), _FIELDS)),
        "Resources": [_bucket(finding) if finding.bucket else _cluster(finding)],
        "Compliance": {"Status": status, "StatusReasons": list(_reasons(finding, reason))},
        # The initial status: later imports cannot change it.
        "Workflow": {"Status": WANTED[finding.status].value},
        "RecordState": "ARCHIVED" if over else "ACTIVE",
        # Shown beside the severity that a user set in Security Hub.
        "FindingProviderFields": {"Severity": severity, "Types": [_TYPE]},
    }


def product_arn(account: str, region: str) -> str:
    """Name the product that every account may import findings of its own for.

    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-custom-providers.html
    """
    return f"arn:{partition_of(region)}:securityhub:{region}:{account}:product/{account}/default"


def _verdict(finding: Finding, *, over: bool) -> tuple[str, str]:
    """Return the compliance status and its reason code."""
    if over:
        return "NOT_AVAILABLE", "CLUSTER_TERMINATED"
    if finding.status is Status.RESOLVED:
        return "PASSED", "RESOLVED"
    return _COMPLIANCE[finding.compliance], str(finding.compliance)


def _reasons(finding: Finding, code: str) -> Iterator[dict[str, str]]:
    description = _cut(plain(finding.summary), _REASON)
    if code in {"RESOLVED", "CLUSTER_TERMINATED"}:
        description = _cut(f"It was: {description}", _REASON)
    yield {"ReasonCode": code, **({"Description": description} if description else {})}
    if finding.status is Status.EXEMPT:
        yield {"ReasonCode": "EXEMPT", "Description": _cut(_exemption(finding), _REASON)}


def _exemption(finding: Finding) -> str:
    evidence = finding.evidence
    if "exempt_until" not in evidence:
        return "The policy exempts the cluster from this rule."
    return plain(
        f"The policy exempts the cluster from this rule until {evidence['exempt_until']}: "
        f"{evidence.get('exempt_reason')} (approved by {evidence.get('exempt_approved_by')})"
    )


def _recommendation(finding: Finding) -> dict[str, str]:
    """Return what to run; a truncated command is worse than none."""
    linked = finding.runbook.startswith(("https://", "http://"))
    fix = plain(finding.remediation, keep="\n").strip()
    runbook = "the runbook" if linked else f"the runbook, {plain(finding.runbook)}"
    if not fix or _length(fix) > _RECOMMENDATION:
        fix = _cut(f"See {runbook}.", _RECOMMENDATION)
    return {"Text": fix, **({"Url": finding.runbook} if linked else {})}


def _cluster(finding: Finding) -> dict[str, object]:
    """Name the cluster. Security Hub has no resource type of its own for clusters of EMR."""
    arn = Arn.parse(finding.cluster_arn)
    details = {
        "ClusterId": finding.cluster_id,
        "ClusterName": finding.cluster_name,
        "LaunchedBy": finding.launched_by,
    }
    return {
        "Type": "Other",
        "Id": finding.cluster_arn,
        "Partition": arn.partition if arn else partition_of(finding.region),
        "Region": finding.region,
        "Details": {"Other": _texts(details, _DETAIL)},
    }


def _bucket(finding: Finding) -> dict[str, object]:
    """Name the log bucket."""
    return {
        "Type": "AwsS3Bucket",
        "Id": finding.cluster_arn,
        "Partition": partition_of(finding.region),
        "Region": finding.region,
    }


def _fields(finding: Finding) -> Iterator[tuple[str, str]]:
    """Return the contract's fields that ASFF has no field for, the evidence last."""
    own = {
        "rule_id": finding.rule_id,
        "rule_name": finding.rule_name,
        "status": finding.status,
        "compliance": finding.compliance,
        "cluster_id": finding.cluster_id,
        "cluster_name": finding.cluster_name,
        "launched_by": finding.launched_by,
        "occurrences": finding.occurrences,
        "deadline": _time(finding.deadline) if finding.deadline else None,
        "runbook": finding.runbook,
    }
    yield from ((f"{GENERATOR}/{name}", text) for name, text in _texts(own, _FIELD).items())
    fix = plain(finding.remediation, keep="\n").strip()
    if fix and _length(fix) <= _FIELD:
        yield f"{GENERATOR}/remediation", fix
    for name, text in _texts(finding.evidence, _FIELD).items():
        yield _cut(f"{GENERATOR}/evidence/{plain(name)}", 128), text


def _texts(values: Mapping[str, object], longest: int) -> dict[str, str]:
    """Write values as text; Security Hub rejects blank ones."""
    texts = {
        name: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
        if value is not None
    }
    shown = {name: _cut(plain(text), longest) for name, text in texts.items()}
    return {name: text for name, text in shown.items() if text}


def _title(finding: Finding) -> str:
    name = plain(finding.cluster_name or "").strip()
    cluster = f"{name} ({finding.cluster_id})" if name else finding.cluster_id
    about = f"log bucket {finding.bucket}" if finding.bucket else f"EMR cluster {cluster}"
    return f"{finding.rule_id} {finding.rule_name}: {about}"


def _cut(text: str, longest: int) -> str:
    """Cut a text with an ellipsis, blanks around it stripped."""
    text = text.strip()
    if _length(text) <= longest:
        return text
    kept = text[: longest - 3]
    while _length(kept) > longest - 3:
        kept = kept[:-1]
    return f"{kept}..."


def _length(text: str) -> int:
    """Count UTF-16 units, the strictest way: how Security Hub counts is undocumented."""
    return len(text.encode("utf-16-le")) // 2


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
