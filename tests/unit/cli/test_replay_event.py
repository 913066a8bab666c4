import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from typer.testing import CliRunner, Result

from emr_log_guard.cli.app import app
from tests.unit.builders import NOW
from tests.unit.dead_letters import CLUSTER_EVENT, EVENTS, OBJECT_EVENT, event
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

RESOURCES = {
    "CheckClusterFunction": "check-1A2B",
    "CheckLogObjectsFunction": "objects-1A2B",
    "NotifySlackFunction": "slack-1A2B",
    "EnforcementQueue": "https://sqs.eu-west-1.amazonaws.com/111122223333/enforcement",
}
SUMMARY = {
    "cluster_id": "j-2AXXXXXXGAPLF",
    "compliance": "NON_COMPLIANT",
    "rules": {"EMRLOG-001": "COMPLIANT", "EMRLOG-002": "NON_COMPLIANT"},
    "actions": ["Alert"],
}


def deploy(aws: StubbedAws, resources: dict[str, str]) -> None:
    """Have a stack with these resources, and one that is not made yet, on two pages."""
    common = {"ResourceType": "t", "LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE"}
    listed = [
        {"LogicalResourceId": logical, "PhysicalResourceId": physical} | common
        for logical, physical in resources.items()
    ]
    first, rest = [{"LogicalResourceId": "Later"} | common, *listed[:1]], listed[1:]
    aws.answer(
        "ListStackResources",
        {"StackResourceSummaries": first, "NextToken": "more"},
        {"StackResourceSummaries": rest},
    )


def answered(result: object, **more: object) -> Answer:
    payload = io.BytesIO(json.dumps(result).encode())
    return {"StatusCode": 200, "Payload": payload, **more}


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["replay", *arguments], input=answer)


def invoked(aws: StubbedAws) -> list[tuple[str, Any]]:
    return [
        (call["FunctionName"], json.loads(call["Payload"]))
        for name, call in aws.calls
        if name == "Invoke"
    ]


@pytest.fixture
def deployed(aws: StubbedAws) -> StubbedAws:
    deploy(aws, RESOURCES)
    return aws


def path(name: str) -> str:
    return str(EVENTS / f"{name}.json")


def test_cluster_event_is_replayed_to_check_cluster(deployed: StubbedAws) -> None:
    deployed.answer("Invoke", answered(SUMMARY))

    result = run(path("emr-cluster-state-change-starting"), "--stack", "guard")

    assert result.exit_code == 0
    assert result.stdout == (
        "EMR Cluster State Change of j-2AXXXXXXGAPLF: j-2AXXXXXXGAPLF is NON_COMPLIANT "
        "(EMRLOG-002 NON_COMPLIANT); actions: Alert\n"
    )
    assert invoked(deployed) == [("check-1A2B", CLUSTER_EVENT)]
    assert deployed.calls[0] == ("ListStackResources", {"StackName": "guard"})


def test_batch_of_cluster_events_is_checked_one_by_one(deployed: StubbedAws) -> None:
    deployed.answer("Invoke", lambda _: answered(SUMMARY))
    record = {"body": json.dumps(CLUSTER_EVENT)}

    result = run("-", answer=json.dumps({"Records": [record, record]}))

    assert invoked(deployed) == [("check-1A2B", CLUSTER_EVENT)] * 2
    assert result.stdout.count("j-2AXXXXXXGAPLF is NON_COMPLIANT") == 2


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        (SUMMARY | {"rules": {}, "actions": []}, "NON_COMPLIANT; no action was needed"),
        ({"anything": "else"}, '{"anything": "else"}'),
    ],
)
def test_summary_of_the_function_is_printed_as_text(
    deployed: StubbedAws, summary: dict[str, Any], words: str
) -> None:
    deployed.answer("Invoke", answered(summary))

    assert words in run(path("recheck-requested")).stdout


def test_object_event_is_replayed_to_check_log_objects(deployed: StubbedAws) -> None:
    deployed.answer("Invoke", answered({"batchItemFailures": []}))

    result = run("-", answer=json.dumps(OBJECT_EVENT))

    assert result.exit_code == 0
    assert "Object Created of s3://" in result.stdout
    [(function, batch)] = invoked(deployed)
    assert function == "objects-1A2B"
    assert [json.loads(record["body"]) for record in batch["Records"]] == [OBJECT_EVENT]


def test_failed_log_objects_are_named(deployed: StubbedAws) -> None:
    deployed.answer("Invoke", answered({"batchItemFailures": [{"itemIdentifier": "replay-1"}]}))

    result = run(path("sqs-s3-object-created"))

    assert result.exit_code == 1
    assert "amzn-s3-demo-emr-logs-unversioned" in result.stderr
    assert "amzn-s3-demo-emr-logs/" not in result.stderr


def test_alert_is_replayed_to_slack(deployed: StubbedAws) -> None:
    deployed.answer("Invoke", answered({"posted": 1}))

    result = run(path("sns-alert"))

    assert (result.exit_code, invoked(deployed)) == (0, [("slack-1A2B", event("sns-alert"))])
    assert "posted to Slack" in result.stdout


@pytest.mark.parametrize(("arguments", "answer"), [(["--yes"], None), ([], "y\n")])
def test_enforcement_request_is_sent_to_the_queue_of_enforce(
    deployed: StubbedAws, arguments: list[str], answer: str | None
) -> None:
    deployed.answer("SendMessage", {"MessageId": "1", "MD5OfMessageBody": "0"})

    result = run(path("sqs-enforcement-request"), *arguments, answer=answer)

    assert result.exit_code == 0
    [record] = event("sqs-enforcement-request")["Records"]
    assert deployed.calls[-1] == (
        "SendMessage",
        {"QueueUrl": RESOURCES["EnforcementQueue"], "MessageBody": record["body"]},
    )
    assert not invoked(deployed)


def test_enforcement_request_needs_confirmation(deployed: StubbedAws) -> None:
    result = run(path("sqs-enforcement-request"), answer="n\n")

    assert result.exit_code == 1
    assert "which may terminate?" in result.output
    assert deployed.counts.keys() == {"ListStackResources"}


def test_failed_check_of_a_cluster_unknown_to_emr_says_so(deployed: StubbedAws) -> None:
    failure = {"errorType": "Runtime.HandlerError", "errorMessage": "see the log"}
    deployed.answer("Invoke", answered(failure, FunctionError="Unhandled"))
    deployed.answer(
        "DescribeCluster", AwsError("InvalidRequestException", "Cluster id 'j-2' is not valid.")
    )

    result = run(path("emr-cluster-state-change-starting"))

    assert result.exit_code == 2
    assert "EMR does not know j-2AXXXXXXGAPLF in this account and Region" in result.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            {"errorType": "ClusterNotFoundError", "errorMessage": "Cluster id 'j-1' is not valid."},
            "check-1A2B failed: ClusterNotFoundError: Cluster id 'j-1' is not valid.",
        ),
        (
            {"errorMessage": "2026-03-14 Task timed out after 60.00 seconds"},
            "check-1A2B failed: 2026-03-14 Task timed out after 60.00 seconds",
        ),
        ("cut off", 'check-1A2B failed: "cut off"'),
    ],
)
def test_error_of_a_failed_function_is_printed(
    deployed: StubbedAws, error: object, words: str
) -> None:
    deployed.answer("Invoke", answered(error, FunctionError="Unhandled"))
    deployed.answer("DescribeCluster", AwsError("AccessDeniedException"))

    result = run(path("emr-cluster-state-change-starting"))

    assert (result.exit_code, result.stderr) == (1, f"Error: {words}\n")


@pytest.mark.parametrize(
    ("operation", "answer", "words"),
    [
        ("ListStackResources", AwsError("ValidationError"), "no stack emr-log-guard in eu-west-1"),
        (
            "ListStackResources",
            AwsError("AccessDenied"),
            "cloudformation:ListStackResources on emr-log-guard answered AccessDenied",
        ),
        (
            "Invoke",
            AwsError("AccessDeniedException"),
            "lambda:InvokeFunction on check-1A2B answered AccessDeniedException",
        ),
        (
            "Invoke",
            ReadTimeoutError(endpoint_url="https://lambda.invalid"),
            "lambda:InvokeFunction on check-1A2B failed with ReadTimeoutError",
        ),
    ],
)
def test_denied_call_exits_with_2_and_is_named(
    deployed: StubbedAws, operation: str, answer: Answer, words: str
) -> None:
    deployed.answer(operation, answer)

    result = run(path("emr-cluster-state-change-starting"))

    assert result.exit_code == 2
    assert words in result.stderr


def test_message_rejected_by_the_queue_exits_with_2(deployed: StubbedAws) -> None:
    deployed.answer("SendMessage", AwsError("AccessDenied"))

    result = run(path("sqs-enforcement-request"), "--yes")

    assert result.exit_code == 2
    assert "sqs:SendMessage on" in result.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "sns-alert",
            "stack emr-log-guard has no EmitEventsFunction: is it a stack of EMR Log Guard",
        ),
        ("sqs-enforcement-request", "it was deployed without EnforcementAllowed"),
        ("sqs-reencryption-request", "it was deployed without ReencryptionAllowed"),
        ("recheck-requested", "has no CheckClusterFunction: is it a stack of EMR Log Guard"),
    ],
)
def test_resource_missing_from_the_stack_is_named(aws: StubbedAws, name: str, words: str) -> None:
    deploy(aws, {})

    result = run(path(name), "--yes")

    assert result.exit_code == 2
    assert words in result.stderr


def test_missing_region_exits_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    result = run(path("recheck-requested"))

    assert result.exit_code == 2
    assert result.stderr == (
        "Error: no Region: give --region, or set AWS_REGION or the profile's region\n"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON: line 1, column 2: "),
        ("\ufffe", "is not JSON"),
        ("{}", "is not an event that the stack handles: no `detail-type`"),
        ('{"detail-type": "Other"}', "$.detail-type"),
    ],
)
def test_file_without_a_valid_event_is_rejected(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "event.json"
    file.write_text(text)

    result = run(str(file))

    assert result.exit_code == 2
    assert words in result.stderr


def test_unreadable_file_is_rejected(tmp_path: Path) -> None:
    result = run(str(tmp_path / "none.json"))

    assert result.exit_code == 2
    assert "No such file" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give EVENT.json or --dead-letters"),
        (["event.json", "--dead-letters"], "give EVENT.json or --dead-letters"),
        (["--dead-letters", "--local"], "--local evaluates one event"),
        (["event.json", "--policy", "p.json"], "need --local"),
        (["event.json", "--parameter", "/p"], "need --local"),
        ([path("sns-alert"), "--local"], "not this: alert"),
        ([path("sqs-enforcement-request"), "--local"], "not this: request"),
        (
            [path("recheck-requested"), "--local", "--policy", "p", "--parameter", "/p"],
            "not both",
        ),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], words: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert words in result.stderr


def test_command_can_be_imported_without_powertools() -> None:
    """It is installed without Powertools."""
    missing = "sys.modules.update(aws_lambda_powertools=None)"
    program = f"import sys; {missing}; import emr_log_guard.cli.app"

    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


def cluster(aws: StubbedAws, **changes: object) -> None:
    described = {
        "Id": "j-2AXXXXXXGAPLF",
        "ClusterArn": "arn:aws:elasticmapreduce:eu-west-1:111122223333:cluster/j-2AXXXXXXGAPLF",
        "Name": "nightly-etl",
        "Status": {"State": "RUNNING"},
        "TerminationProtected": False,
        "LogUri": "s3n://amzn-s3-demo-emr-logs/logs/",
        "ReleaseLabel": "emr-7.12.0",
        "ServiceRole": "EMR_DefaultRole",
    }
    aws.answer("DescribeCluster", {"Cluster": described | changes})
    aws.answer("ListSteps", {"Steps": []})
    aws.answer("HeadBucket", {"BucketRegion": "eu-west-1"})


def test_local_replay_evaluates_a_cluster_without_side_effects(aws: StubbedAws) -> None:
    cluster(aws)

    result = run(path("cloudtrail-run-job-flow"), "--local")

    assert result.exit_code == 1
    assert "EMR cluster nightly-etl (j-2AXXXXXXGAPLF) is NON_COMPLIANT" in result.stdout
    assert "EMRLOG-002 log-key-configured: HIGH" in result.stdout
    assert "aws emr create-cluster" in result.stdout
    assert "Runbook  EMRLOG-002 in the documentation of EMR Log Guard" in result.stdout
    assert set(aws.counts) == {"DescribeCluster", "ListSteps", "HeadBucket"}


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"rules": {"EMRLOG-002": {"enabled": False}}}, 0),
        (
            {
                "exemptions": [
                    {
                        "cluster": {"name": "nightly-*"},
                        "rules": ["*"],
                        "until": "2999-12-31",
                        "reason": "moves",
                        "approved_by": "security",
                    }
                ]
            },
            0,
        ),
        ({"rules": {"EMRLOG-002": {"severity": "LOW"}}}, 1),
    ],
)
def test_local_replay_uses_the_given_policy(
    aws: StubbedAws, tmp_path: Path, document: dict[str, Any], status: int
) -> None:
    cluster(aws)
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document))
    stored = {"Parameter": {"Value": json.dumps(document), "Version": 1, "LastModifiedDate": NOW}}
    aws.answer("GetParameter", stored)

    for source in (["--policy", str(file)], ["--parameter", "/mine"]):
        assert run(path("recheck-requested"), "--local", *source).exit_code == status
    assert {"ListSteps", "HeadBucket"} <= set(aws.counts)


def test_local_replay_rejects_an_invalid_policy(aws: StubbedAws) -> None:
    aws.answer(
        "GetParameter",
        {"Parameter": {"Value": '{"mood": 1}', "Version": 1, "LastModifiedDate": NOW}},
    )

    result = run(path("recheck-requested"), "--local", "--parameter", "/mine")

    assert result.exit_code == 2
    assert "mood: no such field" in result.stderr


def test_local_replay_with_an_unreadable_key_exits_with_3(aws: StubbedAws) -> None:
    cluster(aws, LogEncryptionKmsKeyId="alias/emr-logs")
    aws.answer("DescribeKey", AwsError("AccessDeniedException"))

    result = run(path("recheck-requested"), "--local")

    assert result.exit_code == 3
    assert "EMRLOG-004 log-key-customer-managed: COULD NOT BE DETERMINED" in result.stdout
    assert "kms:DescribeKey" in result.stdout


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (AwsError("InvalidRequestException", "Cluster id 'j-2' is not valid."), "is not valid"),
        (AwsError("AccessDeniedException"), "AccessDeniedException"),
        (EndpointConnectionError(endpoint_url="https://emr.invalid"), "emr.invalid"),
    ],
)
def test_local_replay_of_an_unreadable_cluster_exits_with_2(
    aws: StubbedAws, answer: Answer, words: str
) -> None:
    aws.answer("DescribeCluster", answer)

    result = run(path("recheck-requested"), "--local")

    assert result.exit_code == 2
    assert words in result.stderr


def test_local_replay_evaluates_a_log_object(aws: StubbedAws) -> None:
    cluster(aws, LogEncryptionKmsKeyId="arn:aws:kms:eu-west-1:111122223333:key/1")
    aws.answer("DescribeKey", AwsError("NotFoundException"))
    aws.answer("HeadObject", {"ServerSideEncryption": "AES256"})

    result = run(path("s3-object-created-log"), "--local")

    assert result.exit_code == 1
    assert result.stdout.startswith("s3://amzn-s3-demo-emr-logs/")
    assert "EMRLOG-101 log-object-kms-encrypted: HIGH" in result.stdout


def test_local_replay_reports_a_deleted_object_or_one_that_is_not_a_log(aws: StubbedAws) -> None:
    cluster(aws)
    aws.answer("HeadObject", AwsError("404", "Not Found", 404))

    gone = run(path("s3-object-created-log"), "--local")
    other = run(path("s3-object-created-other"), "--local")

    assert (gone.exit_code, other.exit_code) == (0, 0)
    assert "no longer exists." in gone.stdout
    assert "is not the log of a cluster." in other.stdout


def test_result_is_printed_as_json(deployed: StubbedAws) -> None:
    deployed.answer("Invoke", answered(SUMMARY))

    result = run(path("emr-cluster-state-change-starting"), "--json")

    assert json.loads(result.stdout) == {
        "event": "EMR Cluster State Change of j-2AXXXXXXGAPLF",
        "result": "j-2AXXXXXXGAPLF is NON_COMPLIANT (EMRLOG-002 NON_COMPLIANT); actions: Alert",
    }


def test_json_without_yes_exits_with_2(deployed: StubbedAws) -> None:
    result = run(path("sqs-enforcement-request"), "--json")

    assert result.exit_code == 2
    assert result.stderr == "Error: --json asks no questions: add --yes\n"
    assert "SendMessage" not in deployed.counts


def test_local_replay_prints_findings_as_json(aws: StubbedAws) -> None:
    cluster(aws)

    result = run(path("cloudtrail-run-job-flow"), "--local", "--json")

    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["compliance"] == "NON_COMPLIANT"
    [evaluated] = document["results"]
    assert evaluated["about"].endswith(":cluster/j-2AXXXXXXGAPLF")
    violated = [
        finding["rule_id"]
        for finding in evaluated["findings"]
        if finding["compliance"] == "NON_COMPLIANT"
    ]
    assert violated == ["EMRLOG-002"]
