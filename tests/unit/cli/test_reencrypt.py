import io
import json
import shlex
from dataclasses import replace
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.response import StreamingBody
from botocore.validate import ParamValidator
from typer.testing import CliRunner, Result

from emr_log_guard.cli.app import app
from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from emr_log_guard.domain.reencryption_plan import KeyChange, ReencryptionPlan
from tests.unit.builders import ACCOUNT, CLUSTER_ID, KEY, NOW
from tests.unit.cli.test_rescan import EXECUTION, MACHINE, execution, resources
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

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


REPORT = "s3://reports/rescans/1/report.json"
JOB = ReencryptionJob(
    ACCOUNT,
    "example-logs",
    "logs/it's; reboot/",
    FormerEncryption(),
    KEY.arn,
    NOW,
    objects=9_000_000,
    in_bucket=10_000_000,
)
PLAN = ReencryptionPlan(changes=(KeyChange(FormerEncryption(), KEY.arn, 1_000_000),), jobs=(JOB,))
READER = f"arn:aws:iam::{ACCOUNT}:role/LogReaders"
REFUSING = ReencryptionPlan(refused={"it is not encrypted": 3})


def ends(
    stack: StubbedAws, count: int, plan: ReencryptionPlan = PLAN, *, listed: int = 0, **more: int
) -> None:
    """Have the re-scan end with these figures."""
    output = {"compliance": "NON_COMPLIANT", "report": REPORT, "listed": listed or 2 * count}
    ended = output | {"to_reencrypt": count} | more
    stack.answer("DescribeExecution", execution("SUCCEEDED", output=json.dumps(ended)))

    def stored(request: dict[str, Any]) -> Answer:
        assert request == {"Bucket": "reports", "Key": "rescans/1/reencryption.json"}
        body = msgspec.json.encode(plan)
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}

    stack.answer("GetObject", stored)
    policy = {"Effect": "Allow", "Principal": {"AWS": READER}, "Action": "*", "Resource": "*"}
    document = json.dumps({"Statement": [policy]})
    stack.answer("GetKeyPolicy", {"Policy": document, "PolicyName": "default"})


@pytest.mark.parametrize(
    ("count", "plan", "missed", "status", "text"),
    [
        (0, ReencryptionPlan(), 0, 0, "0 of 9 log objects would be re-encrypted.\n"),
        (0, ReencryptionPlan(), 1, 3, "0 of 9 log objects would be re-encrypted.\n"),
        (3, REFUSING, 0, 1, "0 of 9 log objects would be re-encrypted.\n3 violate the policy"),
        (7, PLAN, 1, 1, "7 of 9 log objects would be re-encrypted.\n"),
    ],
)
def test_dry_run_counts_and_prices(  # noqa: PLR0913 - a row each
    stack: StubbedAws,
    count: int,
    plan: ReencryptionPlan,
    *,
    missed: int,
    status: int,
    text: str,
) -> None:
    ends(stack, count, plan, listed=9, denied_shards=missed)

    result = run("--dry-run")

    assert result.exit_code == status
    assert result.stdout.startswith(text)
    assert [request["dry_run"] for request in asked(stack)] == [True]
    assert ("UpdateObjectEncryption" in result.stdout) is (plan is PLAN)
    assert (f"Not all could be read: see {REPORT}" in result.stderr) is bool(missed)


@pytest.mark.parametrize(
    ("arguments", "count", "printed"),
    [
        (["--dry-run"], 9_999_999, False),
        (["--dry-run"], 10_000_000, True),
        (["--batch-job"], 1, True),
        (["--batch-job", "--dry-run", "--deep", "--cluster", CLUSTER_ID], 1, True),
    ],
)
def test_jobs_are_printed_for_many_objects_and_when_asked_for(
    stack: StubbedAws, arguments: list[str], count: int, *, printed: bool
) -> None:
    ends(stack, count)

    result = run(*arguments)

    assert result.exit_code == 1
    assert ("aws s3control create-job" in result.stdout) is printed
    assert ("use --batch-job" in result.stdout) is not printed
    [request] = asked(stack)
    assert (request["dry_run"], request["deep"]) == (True, "--deep" in arguments)


def test_printed_job_is_the_planned_one_and_valid(stack: StubbedAws) -> None:
    ends(stack, 1)

    [line] = [each for each in run("--batch-job").stdout.splitlines() if "create-job" in each]

    words = shlex.split(line.removeprefix("JOB=$("))
    request = json.loads(words[words.index("--cli-input-json") + 1])
    assert request == JOB.create_job()
    model = botocore.session.Session().get_service_model("s3control")
    report = ParamValidator().validate(request, model.shape_for("CreateJobRequest"))
    assert not report.has_errors(), report.generate_report()


def test_dry_run_as_json(stack: StubbedAws) -> None:
    ends(stack, 1_000_003, replace(PLAN, refused={"it is not encrypted": 3}), listed=2_000_000)

    result = run("--dry-run", "--json", "--quiet")

    found = json.loads(result.stdout)
    assert (found["to_reencrypt"], found["listed"], found["missed_shards"]) == (10**6, 2 * 10**6, 0)
    assert sum(each["usd"] for each in found["charges"]) == pytest.approx(found["usd"])
    assert {"what": "UpdateObjectEncryption", "count": 10**6, "usd": 5.0} in found["charges"]
    [job] = found["batch_operations"]["jobs"]
    assert job["create_job"] == JOB.create_job()
    assert (result.exit_code, result.stderr) == (1, "")


def test_dry_run_lists_who_can_read(stack: StubbedAws) -> None:
    ends(stack, 7)

    result = run("--dry-run")

    assert f"    Afterwards, only these can read them:\n      {READER}\n" in result.stdout
    read = [request for call, request in stack.calls if call == "GetKeyPolicy"]
    assert read == [{"KeyId": KEY.arn}]
    found = json.loads(run("--dry-run", "--json", "--quiet").stdout)
    assert [each["allowed"] for each in found["readers"]] == [[READER]]


def test_key_policy_that_cannot_be_read_is_named_and_no_error(stack: StubbedAws) -> None:
    ends(stack, 7)
    stack.answer("GetKeyPolicy", AwsError("AccessDeniedException"))

    result = run("--dry-run")

    assert result.exit_code == 1
    denied = f"kms:GetKeyPolicy on {KEY.arn} answered AccessDeniedException"
    assert f"    Could not be read: {denied}" in result.stdout


def test_dry_run_that_fails_is_an_error(stack: StubbedAws) -> None:
    stack.answer("DescribeExecution", execution("FAILED", error="RescanRefused", cause="why"))

    result = run("--dry-run")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "RescanRefused why" in result.stderr


def test_dry_run_whose_result_cannot_be_read_is_an_error(stack: StubbedAws) -> None:
    ends(stack, 1)
    stack.answer("GetObject", AwsError("AccessDenied", status=403))

    result = run("--dry-run")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "s3:GetObject on s3://reports/rescans/1/reencryption.json" in result.stderr


@pytest.mark.parametrize("option", ["--dry-run", "--batch-job"])
def test_counting_is_not_given_with_wait(stack: StubbedAws, option: str) -> None:
    result = run(option, "--wait")

    assert (result.exit_code, stack.calls) == (2, [])
    assert "leave out --wait" in result.stderr
