"""Events are valid against the schema that the OCSF project publishes for the class."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from ocsf_json_schema import (  # type: ignore[import-untyped]
    OcsfJsonSchemaEmbedded,
    get_ocsf_schema,
)

from emr_log_guard.domain.audit import AuditReport
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Status
from emr_log_guard.rendering.exports.ocsf import SCHEMA_VERSION, audit_ocsf
from tests.unit.audits import SUMMARY, UNREADABLE_PLACE, a_report, audited
from tests.unit.builders import ACCOUNT, CLUSTER_ID, REGION, a_finding
from tests.unit.rendering.exports.test_formats import HOSTILE, REPORT, hostile

CLASS = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=SCHEMA_VERSION)).get_class_schema(
    class_name="compliance_finding", profiles=["cloud"]
)
SCHEMA = jsonschema.Draft202012Validator(CLASS)
BAD = a_finding(evidence={"log_uri": "s3://a/", "log_key": None, "samples": ("a", "b")})
GOOD = a_finding("EMRLOG-001", compliance=Compliance.COMPLIANT)


def events(report: AuditReport) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in audit_ocsf(report)]
    for event in found:
        SCHEMA.validate(event)
    return found


def without(event: dict[str, Any], path: Iterable[str]) -> dict[str, Any]:
    *way, last = path
    copy: dict[str, Any] = json.loads(json.dumps(event))
    place = copy
    for name in way:
        place = place[name]
    del place[last]
    return copy


def test_finding_is_converted_to_an_ocsf_event() -> None:
    [event] = events(a_report(audited(BAD)))

    assert event["metadata"]["product"].pop("version")
    assert event == {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": 200301,
        "type_name": "Compliance Finding: Create",
        "time": 1773500968000,
        "severity_id": 4,
        "severity": "High",
        "status_id": 1,
        "status": "New",
        "message": BAD.summary,
        "count": 1,
        "metadata": {
            "version": "1.8.0",
            "profiles": ["cloud"],
            "product": {"name": "EMR Log Guard", "uid": "emr-log-guard"},
        },
        "finding_info": {
            "uid": BAD.id,
            "title": "EMRLOG-002 log-key-configured",
            "desc": BAD.summary,
            "first_seen_time": 1773500966000,
            "last_seen_time": 1773500966000,
        },
        "compliance": {
            "control": "EMRLOG-002",
            "desc": "log-key-configured",
            "standards": ["EMR Log Guard"],
            "status_id": 3,
            "status": "Fail",
            "status_code": "NON_COMPLIANT",
            "status_details": [BAD.summary],
        },
        "cloud": {
            "provider": "AWS",
            "region": REGION,
            "account": {"uid": ACCOUNT, "type_id": 10, "type": "AWS Account"},
        },
        "resources": [
            {
                "uid": SUMMARY.arn,
                "name": "nightly-etl",
                "type": "AWS::EMR::Cluster",
                "region": REGION,
                "cloud_partition": "aws",
            }
        ],
        "remediation": {
            "desc": "aws emr create-cluster",
            "references": ["https://example.com/runbook"],
        },
        "unmapped": {
            "evidence": {"log_uri": "s3://a/", "log_key": None, "samples": ["a", "b"]},
            "launched_by": None,
        },
    }


def test_each_compliance_but_not_applicable_becomes_an_event() -> None:
    notified = {
        Compliance.COMPLIANT: ("Pass", "Informational"),
        Compliance.NON_COMPLIANT: ("Fail", "Critical"),
        Compliance.INSUFFICIENT_DATA: ("Unknown", "Critical"),
    }
    findings = [a_finding(compliance=each, severity=Severity.CRITICAL) for each in Compliance]

    found = events(a_report(audited(*findings)))

    assert {
        event["compliance"]["status_code"]: (event["compliance"]["status"], event["severity"])
        for event in found
    } == notified
    assert all(("remediation" in event) is (event["severity_id"] == 5) for event in found)


def test_captions_equal_those_of_the_ocsf_schema() -> None:
    attributes = get_ocsf_schema(version=SCHEMA_VERSION)
    of_class = attributes["classes"]["compliance_finding"]["attributes"]
    of_result = attributes["objects"]["compliance"]["attributes"]
    every = [replace(BAD, severity=severity) for severity in Severity]
    exempt = replace(BAD, status=Status.EXEMPT)

    for event in events(a_report(audited(*every, exempt, GOOD), places=(UNREADABLE_PLACE,))):
        for name in ("activity", "severity", "status", "type"):
            number, caption = ("uid", "name") if name == "type" else ("id", "")
            value = event[f"{name}_{number}"]
            written = (
                event[f"{name}_{caption}".rstrip("_") if caption else name]
                if (name != "activity")
                else event["activity_name"]
            )
            assert of_class[f"{name}_{number}"]["enum"][str(value)]["caption"] == written
        result = event["compliance"]
        captions = of_result["status_id"]["enum"]
        assert captions[str(result["status_id"])]["caption"] == result["status"]


def test_an_exempt_finding_is_suppressed() -> None:
    [event] = events(a_report(audited(replace(BAD, status=Status.EXEMPT))))

    assert (event["status"], event["compliance"]["status"]) == ("Suppressed", "Fail")


def test_each_problem_becomes_an_event() -> None:
    found = events(REPORT)

    unread = [event for event in found if event["finding_info"]["uid"].endswith("#unread")]
    assert [event["compliance"]["status_code"] for event in unread] == ["INSUFFICIENT_DATA"] * 4
    assert [event["cloud"].get("region") for event in unread] == [None, None, "eu-south-1", REGION]
    assert unread[3]["resources"][0]["uid"].endswith(CLUSTER_ID)
    assert "AccessDeniedException" in unread[3]["message"]
    assert len(found) == 4 + 4


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_does_not_break_a_line(name: str) -> None:
    lines = list(audit_ocsf(hostile(name)))

    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
    assert len("".join(lines).splitlines()) == len(lines)
    assert len(events(hostile(name))) == len(lines) == 3


@pytest.mark.parametrize(
    "path",
    [
        ("time",),
        ("severity_id",),
        ("class_uid",),
        ("metadata", "version"),
        ("finding_info", "uid"),
        ("cloud", "provider"),
    ],
)
def test_schema_rejects_missing_unknown_and_invalid_fields(path: tuple[str, ...]) -> None:
    [event] = events(a_report(audited(BAD)))

    assert not SCHEMA.is_valid(without(event, path))
    assert not SCHEMA.is_valid(event | {"verdict": 1, "colour": "red"})
    assert not SCHEMA.is_valid(event | {"severity_id": 42})
