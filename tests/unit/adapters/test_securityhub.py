from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from emr_log_guard.adapters.securityhub import SecurityHub
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.domain.workflow_state import Workflow
from emr_log_guard.rendering.alerts.asff import asff
from tests.unit.builders import ACCOUNT, NOW, REGION, a_finding
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

PRODUCT = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"
TAKEN = {"SuccessCount": 1, "FailedCount": 0}


@pytest.fixture
def aws() -> StubbedAws:
    return StubbedAws()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def hub(aws: StubbedAws, waits: list[float]) -> SecurityHub:
    client = aws.attach(boto3.client("securityhub", region_name=REGION))
    return SecurityHub(client, PRODUCT, waits.append)


def findings(count: int) -> list[dict[str, object]]:
    return [asff(a_finding(id=f"f{number}"), NOW) for number in range(count)]


def found(*pairs: tuple[str, str]) -> dict[str, Any]:
    base: Any = findings(1)[0]
    return {
        "Findings": [base | {"Id": each, "Workflow": {"Status": status}} for each, status in pairs]
    }


def refusing(*ids: str) -> dict[str, Any]:
    failed = [{"Id": i, "ErrorCode": "InvalidInput", "ErrorMessage": "no"} for i in ids]
    return {"SuccessCount": 0, "FailedCount": len(ids), "FailedFindings": failed}


def test_findings_are_imported_in_batches_of_a_hundred(hub: SecurityHub, aws: StubbedAws) -> None:
    aws.answer("BatchImportFindings", TAKEN)

    assert hub.import_findings(findings(250)) == {}

    assert [len(params["Findings"]) for _, params in aws.calls] == [100, 100, 50]


def test_only_rejected_findings_are_imported_again(
    hub: SecurityHub, aws: StubbedAws, waits: list[float]
) -> None:
    aws.answer("BatchImportFindings", refusing("f1", "f2"), refusing("f2"), TAKEN)

    assert hub.import_findings(findings(3)) == {}

    sent = [[each["Id"] for each in params["Findings"]] for _, params in aws.calls]
    assert sent == [["f0", "f1", "f2"], ["f1", "f2"], ["f2"]]
    assert waits == [1, 2]


def test_finding_rejected_at_every_attempt_is_returned_with_the_reason(
    hub: SecurityHub, aws: StubbedAws
) -> None:
    aws.answer("BatchImportFindings", refusing("f1"))

    assert hub.import_findings(findings(3)) == {"f1": "InvalidInput: no"}
    assert aws.counts == {"BatchImportFindings": 3}


def test_securityhub_error_is_raised(hub: SecurityHub, aws: StubbedAws) -> None:
    aws.answer("BatchImportFindings", AwsError("InvalidAccessException"))

    with pytest.raises(Exception, match="InvalidAccessException"):
        hub.import_findings(findings(1))


def test_set_workflow_changes_only_the_workflow_status(hub: SecurityHub, aws: StubbedAws) -> None:
    aws.answer("BatchUpdateFindings", {"ProcessedFindings": [], "UnprocessedFindings": []})

    assert hub.set_workflow([f"f{n}" for n in range(101)], Workflow.SUPPRESSED) == {}

    first, second = (params for _, params in aws.calls)
    assert len(first["FindingIdentifiers"]) == 100
    assert second == {
        "FindingIdentifiers": [{"Id": "f100", "ProductArn": PRODUCT}],
        "Workflow": {"Status": "SUPPRESSED"},
    }


def test_a_workflow_status_that_is_refused_is_tried_again(
    hub: SecurityHub, aws: StubbedAws
) -> None:
    refused = {
        "FindingIdentifier": {"Id": "f1", "ProductArn": PRODUCT},
        "ErrorCode": "ConcurrentUpdateError",
        "ErrorMessage": "Concurrent finding updates detected",
    }
    aws.answer("BatchUpdateFindings", {"ProcessedFindings": [], "UnprocessedFindings": [refused]})

    assert hub.set_workflow(["f1"], Workflow.NEW) == {
        "f1": "ConcurrentUpdateError: Concurrent finding updates detected"
    }
    assert aws.counts == {"BatchUpdateFindings": 3}


def test_statuses_are_read_twenty_at_a_time(hub: SecurityHub, aws: StubbedAws) -> None:
    def answer(params: dict[str, Any]) -> dict[str, Any]:
        filters = params["Filters"]
        assert filters["ProductArn"] == [{"Value": PRODUCT, "Comparison": "EQUALS"}]
        return found(*((each["Value"], "NOTIFIED") for each in filters["Id"]))

    aws.answer("GetFindings", answer)

    statuses = hub.workflows([f"f{n}" for n in range(41)])

    assert set(statuses.values()) == {Workflow.NOTIFIED}
    assert len(statuses) == 41
    assert aws.counts == {"GetFindings": 3}


def test_active_findings_are_read_from_every_page(hub: SecurityHub, aws: StubbedAws) -> None:
    aws.answer("GetFindings", found(("a", "NEW")) | {"NextToken": "t"}, found(("b", "NEW")))

    assert list(hub.active()) == ["a", "b"]
    assert aws.calls[0][1]["Filters"]["RecordState"] == [
        {"Value": "ACTIVE", "Comparison": "EQUALS"}
    ]


def test_suppressed_returns_only_requested_suppressed_findings(
    hub: SecurityHub, aws: StubbedAws
) -> None:
    aws.answer("GetFindings", found(("a", "SUPPRESSED"), ("b", "RESOLVED"), ("x", "SUPPRESSED")))

    assert hub.suppressed(["a", "b"]) == frozenset("a")  # other findings in the answer do not count


def test_finding_without_a_workflow_status_is_new(hub: SecurityHub, aws: StubbedAws) -> None:
    base: Any = findings(1)[0]
    aws.answer("GetFindings", {"Findings": [{k: v for k, v in base.items() if k != "Workflow"}]})

    assert hub.workflows(["f0"]) == {"f0": Workflow.NEW}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AwsError("AccessDeniedException"), "answered AccessDeniedException"),
        (AwsError("InvalidAccessException"), "answered InvalidAccessException"),
        (ReadTimeoutError(endpoint_url="https://securityhub"), "failed with ReadTimeoutError"),
    ],
)
def test_unread_suppressions_are_unresolved(
    hub: SecurityHub, aws: StubbedAws, error: Answer, said: str
) -> None:
    aws.answer("GetFindings", error)

    answer = hub.suppressed(["a"])

    assert isinstance(answer, Unresolved)
    assert answer.reason == f"securityhub:GetFindings on 1 findings {said}"
