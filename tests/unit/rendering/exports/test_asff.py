"""What is written can be handed to securityhub:BatchImportFindings, by the API's own model."""

import json
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from emr_log_guard.domain.audit import AuditReport
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding
from emr_log_guard.rendering.exports.asff import audit_asff
from tests.unit.audits import a_report, audited
from tests.unit.builders import ACCOUNT, OTHER_ACCOUNT, REGION, a_finding
from tests.unit.rendering.exports.test_formats import HOSTILE, hostile

MODEL = botocore.session.Session().get_service_model("securityhub")
REQUEST = MODEL.shape_for("BatchImportFindingsRequest")
BAD = a_finding()


def batches(report: AuditReport) -> list[list[dict[str, Any]]]:
    requests = [json.loads(line) for line in audit_asff(report)]
    for request in requests:
        problems = ParamValidator().validate(request, REQUEST)
        assert not problems.has_errors(), problems.generate_report()
    return [request["Findings"] for request in requests]


def elsewhere(finding: Finding) -> Finding:
    return replace(finding, account=OTHER_ACCOUNT, region="us-east-1")


def test_batch_has_at_most_a_hundred_findings_of_one_account_and_region() -> None:
    report = a_report(*(audited(BAD, elsewhere(BAD), name=f"c{n}") for n in range(120)))

    found = batches(report)

    assert [len(batch) for batch in found] == [100, 20, 100, 20]
    assert [{each["ProductArn"] for each in batch} for batch in found] == [
        {f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"},
    ] * 2 + [
        {f"arn:aws:securityhub:us-east-1:{OTHER_ACCOUNT}:product/{OTHER_ACCOUNT}/default"},
    ] * 2


def test_findings_that_need_attention_are_written_with_the_end_of_the_audit() -> None:
    findings = [a_finding(f"EMRLOG-00{n}", compliance=each) for n, each in enumerate(Compliance)]

    [batch] = batches(a_report(audited(*findings)))

    assert [each["Compliance"]["Status"] for each in batch] == ["FAILED", "WARNING"]
    assert {each["UpdatedAt"] for each in batch} == {"2026-03-14T15:09:28.000Z"}
    assert batches(a_report(audited(a_finding(compliance=Compliance.COMPLIANT)))) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_does_not_break_a_line(name: str) -> None:
    lines = "".join(audit_asff(hostile(name))).splitlines()

    assert len(lines) == 1
    assert len(batches(hostile(name))) == 1


def test_validator_rejects_a_finding_without_a_required_field() -> None:
    [[finding]] = batches(a_report(audited(BAD)))
    del finding["GeneratorId"]

    assert ParamValidator().validate({"Findings": [finding]}, REQUEST).has_errors()
