"""Findings in ASFF: golden, within the API's own model, and within the documented limits."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.rendering.alerts.asff import asff
from emr_log_guard.rules import ALL_RULES
from tests.unit.builders import (
    ACCOUNT,
    CLUSTER_ID,
    NOW,
    REGION,
    a_bucket_finding,
    a_cluster,
    a_finding,
)
from tests.unit.rendering.test_hostile_names import NAMES

LATER = NOW + timedelta(hours=1, milliseconds=250)
PRODUCT = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"
LIMITS = {
    "Id": 512,
    "ProductArn": 2048,
    "GeneratorId": 512,
    "Title": 256,
    "Description": 1024,
}


@cache
def request_shape() -> StructureShape:
    client = boto3.client("securityhub", region_name=REGION, endpoint_url="http://127.0.0.1:1")
    shape = client.meta.service_model.operation_model("BatchImportFindings").input_shape
    assert isinstance(shape, StructureShape)
    return shape


def broken(shape: Shape, value: Any, path: str) -> list[str]:  # noqa: ANN401 - any JSON
    """Name what breaks a pattern or an enumeration of the model: botocore checks neither."""
    match shape:
        case StructureShape():
            known = shape.members
            notified = [f"{path}.{name}: unknown" for name in value if name not in known]
            return notified + [
                problem
                for name, each in value.items()
                if name in known
                for problem in broken(known[name], each, f"{path}.{name}")
            ]
        case ListShape():
            return [p for each in value for p in broken(shape.member, each, f"{path}[]")]
        case MapShape():
            return [
                problem
                for name, each in value.items()
                for problem in (
                    *broken(shape.key, name, f"{path} key"),
                    *broken(shape.value, each, f"{path}.{name}"),
                )
            ]
        case StringShape():
            pattern = shape.metadata.get("pattern")
            wrong = bool(pattern and not re.search(pattern, value))
            wrong |= bool(shape.enum and value not in shape.enum)
            return [f"{path}: {value!r}"] if wrong else []
        case _:
            return []


def problems(found: dict[str, Any]) -> list[str]:
    """Say what Security Hub's model, or its documentation, has against a finding."""
    request = {"Findings": [found]}
    report = ParamValidator().validate(request, request_shape())
    notified = [report.generate_report()] if report.has_errors() else []
    notified += broken(request_shape(), request, "")
    notified += [name for name, most in LIMITS.items() if len(found[name]) > most]
    text = found["Remediation"]["Recommendation"]["Text"]
    notified += ["Recommendation"] if len(text) > 512 else []
    fields = found["ProductFields"]
    notified += ["ProductFields"] if len(fields) > 50 else []
    notified += [n for n, v in fields.items() if len(n) > 128 or len(v) > 2048]
    other = found["Resources"][0]["Details"]["Other"]
    notified += [n for n, v in other.items() if len(n) > 128 or len(v) > 1024]
    return notified


def test_finding_is_converted_to_asff() -> None:
    finding = replace(a_finding(deadline=LATER), launched_by="arn:aws:iam::111122223333:user/ana")
    arn = a_cluster().arn

    assert asff(finding, LATER) == {
        "SchemaVersion": "2018-10-08",
        "Id": f"{arn}#EMRLOG-002",
        "ProductArn": PRODUCT,
        "GeneratorId": "emr-log-guard/EMRLOG-002",
        "AwsAccountId": ACCOUNT,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "FirstObservedAt": "2026-03-14T15:09:26.000Z",
        "LastObservedAt": "2026-03-14T15:09:26.000Z",
        "CreatedAt": "2026-03-14T15:09:26.000Z",
        "UpdatedAt": "2026-03-14T16:09:26.250Z",
        "Severity": {"Label": "HIGH", "Original": "HIGH"},
        "Title": f"EMRLOG-002 log-key-configured: EMR cluster nightly-etl ({CLUSTER_ID})",
        "Description": "logs go to s3n://example-logs/emr/ without a log encryption key",
        "Remediation": {
            "Recommendation": {
                "Text": "aws emr create-cluster",
                "Url": "https://example.com/runbook",
            }
        },
        "ProductFields": {
            "emr-log-guard/rule_id": "EMRLOG-002",
            "emr-log-guard/rule_name": "log-key-configured",
            "emr-log-guard/status": "OPEN",
            "emr-log-guard/compliance": "NON_COMPLIANT",
            "emr-log-guard/cluster_id": CLUSTER_ID,
            "emr-log-guard/cluster_name": "nightly-etl",
            "emr-log-guard/launched_by": "arn:aws:iam::111122223333:user/ana",
            "emr-log-guard/occurrences": "1",
            "emr-log-guard/deadline": "2026-03-14T16:09:26.250Z",
            "emr-log-guard/runbook": "https://example.com/runbook",
            "emr-log-guard/remediation": "aws emr create-cluster",
            "emr-log-guard/evidence/log_uri": "s3n://example-logs/emr/",
        },
        "Resources": [
            {
                "Type": "Other",
                "Id": arn,
                "Partition": "aws",
                "Region": REGION,
                "Details": {
                    "Other": {
                        "ClusterId": CLUSTER_ID,
                        "ClusterName": "nightly-etl",
                        "LaunchedBy": "arn:aws:iam::111122223333:user/ana",
                    }
                },
            }
        ],
        "Compliance": {
            "Status": "FAILED",
            "StatusReasons": [
                {
                    "ReasonCode": "NON_COMPLIANT",
                    "Description": finding.summary,
                }
            ],
        },
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
        "FindingProviderFields": {
            "Severity": {"Label": "HIGH", "Original": "HIGH"},
            "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        },
    }


@pytest.mark.parametrize(
    ("status", "compliance", "ended", "expected"),
    [
        (Status.OPEN, Compliance.NON_COMPLIANT, False, ("FAILED", "NEW", "ACTIVE", "HIGH")),
        (Status.OPEN, Compliance.INSUFFICIENT_DATA, False, ("WARNING", "NEW", "ACTIVE", "HIGH")),
        (
            Status.OPEN,
            Compliance.NOT_APPLICABLE,
            False,
            ("NOT_AVAILABLE", "NEW", "ACTIVE", "INFORMATIONAL"),
        ),
        (Status.OPEN, Compliance.COMPLIANT, False, ("PASSED", "NEW", "ACTIVE", "INFORMATIONAL")),
        (
            Status.EXEMPT,
            Compliance.NON_COMPLIANT,
            False,
            ("FAILED", "SUPPRESSED", "ACTIVE", "HIGH"),
        ),
        (
            Status.RESOLVED,
            Compliance.NON_COMPLIANT,
            False,
            ("PASSED", "RESOLVED", "ACTIVE", "INFORMATIONAL"),
        ),
        (
            Status.RESOLVED,
            Compliance.NON_COMPLIANT,
            True,
            ("NOT_AVAILABLE", "RESOLVED", "ARCHIVED", "INFORMATIONAL"),
        ),
        # A bad log object stays bad when its cluster is gone.
        (Status.OPEN, Compliance.NON_COMPLIANT, True, ("FAILED", "NEW", "ACTIVE", "HIGH")),
    ],
)
def test_status_and_compliance_are_mapped_to_security_hub(
    status: Status, compliance: Compliance, expected: tuple[str, ...], *, ended: bool
) -> None:
    found: dict[str, Any] = asff(
        a_finding(status=status, compliance=compliance), LATER, cluster_terminated=ended
    )

    assert (
        found["Compliance"]["Status"],
        found["Workflow"]["Status"],
        found["RecordState"],
        found["Severity"]["Label"],
    ) == expected
    assert found["Severity"]["Original"] == "HIGH"


def test_exemption_is_a_status_reason() -> None:
    evidence = {
        "exempt_until": "2026-12-31",
        "exempt_reason": "moves in June",
        "exempt_approved_by": "ana",
    }

    notified: Any = asff(a_finding(status=Status.EXEMPT, evidence=evidence), NOW)["Compliance"]
    unexplained: Any = asff(a_finding(status=Status.EXEMPT), NOW)["Compliance"]

    assert notified["StatusReasons"][1]["Description"] == (
        "The policy exempts the cluster from this rule until 2026-12-31: moves in June "
        "(approved by ana)"
    )
    assert unexplained["StatusReasons"][1]["ReasonCode"] == "EXEMPT"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_product_arn_has_the_account_and_partition_of_the_finding(
    region: str, partition: str
) -> None:
    arn = f"arn:{partition}:elasticmapreduce:{region}:{ACCOUNT}:cluster/{CLUSTER_ID}"

    found: Any = asff(replace(a_finding(), region=region, cluster_arn=arn), NOW)

    assert found["ProductArn"] == (
        f"arn:{partition}:securityhub:{region}:{ACCOUNT}:product/{ACCOUNT}/default"
    )
    assert found["Resources"][0]["Partition"] == partition
    assert not problems(found)


def test_fix_that_is_too_long_is_replaced_by_the_runbook() -> None:
    fix = "aws emr create-cluster " + "x" * 600

    linked: Any = asff(a_finding(remediation=fix), NOW)
    unlinked: Any = asff(
        replace(a_finding(remediation=fix), runbook="docs/runbooks/EMRLOG-002.md"), NOW
    )

    assert linked["Remediation"]["Recommendation"]["Text"] == "See the runbook."
    assert linked["ProductFields"]["emr-log-guard/remediation"] == fix
    assert unlinked["Remediation"]["Recommendation"] == {
        "Text": "See the runbook, docs/runbooks/EMRLOG-002.md."
    }
    endless: Any = asff(a_finding(remediation="x" * 3000), NOW)
    assert "emr-log-guard/remediation" not in endless["ProductFields"]


@pytest.mark.parametrize("name", [*NAMES, "", " ", "\n", "😀" * 3000])
def test_hostile_names_are_escaped_and_within_limits(name: str) -> None:
    found: Any = asff(
        replace(
            a_finding(),
            cluster_name=name,
            launched_by=name,
            summary=name,
            remediation=name,
            evidence={"log_uri": name, "samples": (name,) * 5, "none": None, "yes": True},
        ),
        NOW,
    )

    assert not problems(found)
    assert not re.search(r"[\x00-\x1f\u202e\u200b\u2028]", found["Title"] + found["Description"])
    assert len(found["Title"].encode("utf-16-le")) <= 2 * 256


FINDINGS = st.builds(
    a_finding,
    rule_id=st.sampled_from([rule.id for rule in ALL_RULES]),
    compliance=st.sampled_from(Compliance),
    severity=st.sampled_from(Severity),
    status=st.sampled_from(Status),
    cluster_name=st.none() | st.text(max_size=300),
    launched_by=st.none() | st.text(max_size=300),
    summary=st.text(max_size=1500),
    remediation=st.text(max_size=3000),
    runbook=st.text(max_size=60) | st.just("https://example.com/runbook"),
    evidence=st.dictionaries(
        st.text(max_size=150),
        st.text(max_size=2500)
        | st.integers()
        | st.booleans()
        | st.none()
        | st.lists(st.text(max_size=40), max_size=3).map(tuple),
        max_size=60,
    ),
    first_seen=st.datetimes(datetime(2020, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    deadline=st.none() | st.just(LATER),
)


@given(finding=FINDINGS, ended=st.booleans())
def test_any_finding_is_valid_for_security_hub(finding: Finding, *, ended: bool) -> None:
    assert not problems(asff(finding, LATER, cluster_terminated=ended))


def test_finding_about_a_log_bucket_has_the_bucket_as_its_resource() -> None:
    found = asff(a_bucket_finding(), NOW)

    assert found["Title"] == "EMRLOG-009 log-bucket-sends-events: log bucket example-logs"
    assert found["Resources"] == [
        {
            "Type": "AwsS3Bucket",
            "Id": "arn:aws:s3:::example-logs",
            "Partition": "aws",
            "Region": REGION,
        }
    ]
    report = ParamValidator().validate({"Findings": [found]}, request_shape())
    assert not report.has_errors(), report.generate_report()
