import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from emr_log_guard.cli.app import app
from tests.unit.builders import CLUSTER_ID, NOW
from tests.unit.cli.test_rescan import EXECUTION, MACHINE, execution, resources
from tests.unit.stubbed_aws import AwsError, StubbedAws

REENCRYPTING = {"mode": "alert", "reencryption": {"enabled": True}}


def store(aws: StubbedAws, policy: str) -> None:
    aws.answer(
        "GetParameter",
        {"Parameter": {"Name": "/p", "Value": policy, "Version": 3, "LastModifiedDate": NOW}},
    )


@pytest.fixture
def stack(aws: StubbedAws) -> StubbedAws:
    """A stack that may re-encrypt, whose policy does."""
    deployed = {"RescanStateMachine": MACHINE, "PolicyParameter": "/p", "ReencryptFunction": "f"}
    aws.answer("ListStackResources", resources(**deployed))
    store(aws, json.dumps(REENCRYPTING))
    aws.answer("ListExecutions", {"executions": []})
    aws.answer("StartExecution", {"executionArn": EXECUTION, "startDate": NOW})
    return aws


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["reencrypt", *arguments])


def asked(aws: StubbedAws) -> list[dict[str, Any]]:
    return [json.loads(request["input"]) for call, request in aws.calls if call == "StartExecution"]


@pytest.mark.parametrize(
    ("arguments", "input_"),
    [
        ([], {"deep": False, "cluster": None}),
        (["--deep", "--cluster", CLUSTER_ID], {"deep": True, "cluster": CLUSTER_ID}),
    ],
)
def test_rescan_is_started_that_reencrypts(
    stack: StubbedAws, arguments: list[str], input_: dict[str, object]
) -> None:
    result = run(*arguments)

    assert result.exit_code == 0
    assert asked(stack) == [{"scope": "log_objects", "reencrypt": True} | input_]
    assert EXECUTION in result.stdout


def test_json_names_the_execution(stack: StubbedAws) -> None:
    assert json.loads(run("--json").stdout) == {"execution_arn": EXECUTION}
    assert asked(stack)


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        ('{"mode": "alert"}', "set reencryption.enabled"),
        (json.dumps(REENCRYPTING | {"mode": "observe"}), "a mode other than observe"),
        ('{"mode": "x"}', "the stored policy is invalid: mode"),
    ],
)
def test_nothing_is_started_where_the_policy_does_not_reencrypt(
    stack: StubbedAws, policy: str, error: str
) -> None:
    store(stack, policy)

    result = run()

    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert error in result.stderr
    assert asked(stack) == []


def test_nothing_is_started_where_the_stack_may_not_reencrypt(stack: StubbedAws) -> None:
    stack.answer("ListStackResources", resources(RescanStateMachine=MACHINE, PolicyParameter="/p"))

    result = run()

    assert (result.exit_code, asked(stack)) == (2, [])
    assert "deploy it with ReencryptionAllowed=true" in result.stderr


def test_policy_that_cannot_be_read_is_an_error(stack: StubbedAws) -> None:
    stack.answer("GetParameter", AwsError("AccessDeniedException"))

    result = run()

    assert (result.exit_code, asked(stack)) == (2, [])
    assert "ssm:GetParameter" in result.stderr


def test_cluster_id_is_checked_before_any_call(stack: StubbedAws) -> None:
    result = run("--cluster", "emr/j-1")

    assert (result.exit_code, stack.calls) == (2, [])
    assert "is not a cluster id" in result.stderr


def counted(count: int, **more: int) -> dict[str, Any]:
    output = {"compliance": "NON_COMPLIANT", "report": "s3://reports/r.json", "listed": 2_000_000}
    return execution("SUCCEEDED", output=json.dumps(output | {"to_reencrypt": count} | more))


@pytest.mark.parametrize(
    ("ended", "status", "text"),
    [
        (counted(0), 0, "0 of 2,000,000 log objects would be re-encrypted.\n"),
        (counted(0, denied_shards=1), 3, "0 of 2,000,000 log objects would be re-encrypted.\n"),
        (counted(1_000_000, failed_shards=1), 1, "1,000,000 of 2,000,000 log objects would be"),
    ],
)
def test_dry_run_counts_and_prices(
    stack: StubbedAws, ended: dict[str, Any], status: int, text: str
) -> None:
    stack.answer("DescribeExecution", ended)

    result = run("--dry-run")

    assert result.exit_code == status
    assert result.stdout.startswith(text)
    assert [request["dry_run"] for request in asked(stack)] == [True]
    assert ("UpdateObjectEncryption" in result.stdout) is (status == 1)
    missed = "Not all could be read: see s3://reports/r.json"
    assert (missed in result.stderr) is ("_shards" in str(ended))


def test_dry_run_as_json(stack: StubbedAws) -> None:
    stack.answer("DescribeExecution", counted(1_000_000))

    result = run("--dry-run", "--json", "--quiet")

    found = json.loads(result.stdout)
    assert (found["to_reencrypt"], found["listed"], found["missed_shards"]) == (10**6, 2 * 10**6, 0)
    assert sum(each["usd"] for each in found["charges"]) == pytest.approx(found["usd"])
    assert {"what": "UpdateObjectEncryption", "count": 10**6, "usd": 5.0} in found["charges"]


def test_dry_run_that_fails_is_an_error(stack: StubbedAws) -> None:
    stack.answer("DescribeExecution", execution("FAILED", error="RescanRefused", cause="why"))

    result = run("--dry-run")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "RescanRefused why" in result.stderr


def test_dry_run_is_not_given_with_wait(stack: StubbedAws) -> None:
    assert run("--dry-run", "--wait").exit_code == 2
    assert stack.calls == []
