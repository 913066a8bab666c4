import io
import json
import re
from typing import Any

import pytest
from botocore.response import StreamingBody
from typer.testing import CliRunner, Result

from emr_log_guard.cli import rescan as command
from emr_log_guard.cli.app import app
from tests.unit.builders import NOW
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:emr-log-guard-rescan"
EXECUTION = "arn:aws:states:eu-west-1:111122223333:execution:emr-log-guard-rescan:1"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TEXT = "EMR log re-scan: 1 open, 1 new, 0 resolved\n"
DESCRIBED = {"executionArn": EXECUTION, "stateMachineArn": MACHINE, "startDate": NOW}


def resources(**names: str) -> dict[str, Any]:
    common = {"ResourceType": "t", "LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE"}
    return {
        "StackResourceSummaries": [
            {"LogicalResourceId": logical, "PhysicalResourceId": physical} | common
            for logical, physical in names.items()
        ]
    }


def execution(status: str, **more: str) -> dict[str, Any]:
    return DESCRIBED | {"status": status} | more


def succeeded(compliance: str) -> dict[str, Any]:
    output = {"report": "s3://reports/rescans/1/report.json", "compliance": compliance}
    return execution("SUCCEEDED", output=json.dumps(output))


@pytest.fixture
def stack(aws: StubbedAws, monkeypatch: pytest.MonkeyPatch) -> StubbedAws:
    monkeypatch.setattr(command, "POLL_SECONDS", 0)
    aws.answer("ListStackResources", resources(RescanStateMachine=MACHINE))
    aws.answer("ListExecutions", {"executions": []})
    aws.answer("StartExecution", {"executionArn": EXECUTION, "startDate": NOW})
    aws.answer("DescribeExecution", execution("RUNNING"), succeeded("COMPLIANT"))

    def text(_: dict[str, Any]) -> dict[str, Any]:
        return {"Body": StreamingBody(io.BytesIO(TEXT.encode()), len(TEXT))}

    aws.answer("GetObject", text)
    return aws


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["rescan", *arguments])


def asked(aws: StubbedAws) -> dict[str, Any]:
    [request] = [request for call, request in aws.calls if call == "StartExecution"]
    assert request["stateMachineArn"] == MACHINE
    found: dict[str, Any] = json.loads(request["input"])
    return found


@pytest.mark.parametrize(
    ("arguments", "input_"),
    [
        ([], {"scope": "all", "deep": False}),
        (["--clusters"], {"scope": "clusters", "deep": False}),
        (["--objects", "--deep"], {"scope": "log_objects", "deep": True}),
        (["--clusters", "--objects"], {"scope": "all", "deep": False}),
    ],
)
def test_rescan_is_started_with_the_requested_scope_and_depth(
    stack: StubbedAws, arguments: list[str], input_: dict[str, object]
) -> None:
    result = run(*arguments)

    assert result.exit_code == 0
    assert asked(stack) == input_
    assert EXECUTION in result.stdout
    assert "DescribeExecution" not in stack.counts


@pytest.mark.parametrize("arguments", [[], ["--wait"]])
def test_rescan_is_not_started_while_one_is_running(
    stack: StubbedAws, arguments: list[str]
) -> None:
    one = DESCRIBED | {"name": "1", "status": "RUNNING"}
    stack.answer("ListExecutions", {"executions": [one]})

    result = run(*arguments)

    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: a re-scan is running: {EXECUTION}; wait until it has finished, or stop it\n"
    )
    assert "StartExecution" not in stack.counts


def test_rescan_is_started_when_executions_may_not_be_listed(stack: StubbedAws) -> None:
    stack.answer("ListExecutions", AwsError("AccessDeniedException"))

    assert run().exit_code == 0
    assert asked(stack)


@pytest.mark.parametrize(
    ("compliance", "status"),
    [("COMPLIANT", 0), ("NON_COMPLIANT", 1), ("INSUFFICIENT_DATA", 3)],
)
def test_wait_prints_the_report_and_exits_with_its_compliance(
    stack: StubbedAws, compliance: str, status: int
) -> None:
    stack.answer("DescribeExecution", execution("RUNNING"), succeeded(compliance))

    result = run("--wait")

    assert (result.exit_code, result.stdout) == (status, TEXT)
    assert "aws s3 cp s3://reports/rescans/1/report.html ." in result.stderr
    assert [request for call, request in stack.calls if call == "GetObject"] == [
        {"Bucket": "reports", "Key": "rescans/1/report.txt"}
    ]
    assert "ListMapRuns" not in stack.counts  # the output is not a terminal


def test_wait_shows_progress_on_a_terminal(
    stack: StubbedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = execution("RUNNING")
    stack.answer("DescribeExecution", running, running, running, succeeded("COMPLIANT"))
    listed = {"mapRunArn": "map", "executionArn": EXECUTION, "stateMachineArn": MACHINE}
    stack.answer(
        "ListMapRuns",
        {"mapRuns": []},
        AwsError("AccessDeniedException"),
        {"mapRuns": [listed | {"startDate": NOW}]},
    )
    counts = dict.fromkeys(("pending", "running", "timedOut", "aborted", "resultsWritten"), 0)
    items = counts | {"succeeded": 3, "failed": 1, "total": 9}
    stack.answer(
        "DescribeMapRun",
        {
            "mapRunArn": "map",
            "executionArn": EXECUTION,
            "status": "RUNNING",
            "startDate": NOW,
            "maxConcurrency": 1,
            "toleratedFailurePercentage": 100,
            "toleratedFailureCount": 0,
            "itemCounts": items,
            "executionCounts": items,
        },
    )
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes anything for a terminal

    result = run("--wait")

    assert (result.exit_code, result.stdout) == (0, TEXT)
    assert (stack.counts["ListMapRuns"], stack.counts["DescribeMapRun"]) == (3, 1)
    assert "4/9" in _ANSI.sub("", result.stderr)


@pytest.mark.parametrize(
    ("status", "more", "said"),
    [
        (
            "FAILED",
            {"error": "RescanRefused", "cause": "a re-scan is running: arn"},
            "FAILED RescanRefused a re-scan is running: arn",
        ),
        ("ABORTED", {}, "ABORTED"),
    ],
)
def test_wait_prints_why_there_is_no_report(
    stack: StubbedAws, status: str, more: dict[str, str], said: str
) -> None:
    stack.answer("DescribeExecution", execution(status, **more))

    result = run("--wait")

    assert result.exit_code == 2
    assert f"the re-scan ended without a report: {said}\n" in result.stderr


@pytest.mark.parametrize(
    ("operation", "answer", "said"),
    [
        ("ListStackResources", AwsError("ValidationError"), "no stack emr-log-guard in eu-west-1"),
        ("ListStackResources", resources(Other="x"), "has no RescanStateMachine"),
        (
            "StartExecution",
            AwsError("AccessDeniedException"),
            f"states:StartExecution on {MACHINE} answered AccessDeniedException",
        ),
        (
            "DescribeExecution",
            AwsError("AccessDeniedException"),
            f"states:DescribeExecution on {EXECUTION} answered AccessDeniedException",
        ),
        (
            "GetObject",
            AwsError("AccessDenied"),
            "s3:GetObject on s3://reports/rescans/1/report.txt answered AccessDenied",
        ),
    ],
)
def test_failed_call_prints_one_error_line(
    stack: StubbedAws, operation: str, answer: Answer, said: str
) -> None:
    stack.answer(operation, answer)

    result = run("--wait")

    assert result.exit_code == 2
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line


def test_interrupted_wait_says_that_the_rescan_continues(stack: StubbedAws) -> None:
    def interrupted(_: dict[str, Any]) -> Answer:
        raise KeyboardInterrupt

    stack.answer("DescribeExecution", interrupted)

    result = run("--wait")

    assert result.exit_code == 130
    assert f"the re-scan continues: {EXECUTION}" in result.stderr


def test_execution_or_report_is_printed_as_json(stack: StubbedAws) -> None:
    started = run("--json")
    stack.answer("DescribeExecution", succeeded("NON_COMPLIANT"))
    waited = run("--wait", "--json", "--quiet")

    assert json.loads(started.stdout) == {"execution_arn": EXECUTION}
    assert started.stderr == ""
    assert (waited.exit_code, waited.stdout, waited.stderr) == (1, TEXT, "")
    assert stack.calls[-1] == ("GetObject", {"Bucket": "reports", "Key": "rescans/1/report.json"})


def test_quiet_prints_only_the_execution(stack: StubbedAws) -> None:
    result = run("--quiet")

    assert result.output == f"Started {EXECUTION}\n"
    assert asked(stack)
