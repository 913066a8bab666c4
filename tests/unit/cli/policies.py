"""A stored policy, and a stack with a finding, for the commands that work with them."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from emr_log_guard.adapters.dynamodb import DynamoFindingRepository
from emr_log_guard.cli.app import app
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decisions import Decision, finding_states
from emr_log_guard.domain.finding_record import ClusterSnapshot, FindingRecord, Kind
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, a_finding
from tests.unit.fake_table import FakeTable
from tests.unit.stubbed_aws import StubbedAws

STORED = '{"mode": "alert"}'


def store(aws: StubbedAws, *texts: str) -> None:
    parameters: list[dict[str, Any]] = [
        {"Parameter": {"Value": text, "Version": 7 + place, "LastModifiedDate": NOW}}
        for place, text in enumerate(texts)
    ]
    aws.answer("GetParameter", *parameters)


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=answer)


def written(aws: StubbedAws) -> list[Any]:
    return [json.loads(call["Value"]) for name, call in aws.calls if name == "PutParameter"]


def a_stack_with_a_finding(aws: StubbedAws) -> None:
    """Have a stack deployed without enforcement, and an open finding in its table."""
    common = {"ResourceType": "t", "LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE"}
    names = {"FindingsTable": "findings", "PolicyParameter": "/emr-log-guard/guard/policy"}
    aws.answer(
        "ListStackResources",
        {
            "StackResourceSummaries": [
                {"LogicalResourceId": logical, "PhysicalResourceId": name, **common}
                for logical, name in names.items()
            ]
        },
    )
    table = FakeTable()
    repository = DynamoFindingRepository(table, "findings")
    for rule_id in ("EMRLOG-001", "EMRLOG-002"):
        finding = a_finding(rule_id)
        repository.write(
            FindingRecord(finding=finding, kind=Kind.CLUSTER, opened_at=NOW, evaluated_at=NOW)
        )
    repository.write_snapshot(ClusterSnapshot(a_cluster()), None)
    repository.record(
        Decision(
            cluster_id=CLUSTER_ID,
            at=NOW,
            by="check_cluster",
            invocation="one",
            cluster_state="RUNNING",
            mode=Mode.ALERT,
            policy_version=7,
            decided=("notify finding.opened of EMRLOG-002: nothing_in_alert_mode",),
            findings=finding_states([a_finding()]),
        )
    )
    aws.answer("Query", lambda request: table.query(**request))
    aws.answer("GetItem", lambda request: table.get_item(**request))
