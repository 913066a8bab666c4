"""Re-scans: what events missed is found, alerted once, and compared with the last run."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.fixtures import OTHER_ACCOUNTS_BUCKET
from tests.e2e.deployed import Deployed
from tests.e2e.operating import Statement, command
from tests.template.stack import Stack

pytestmark = pytest.mark.xdist_group("alert_mode")

type Eventually = Callable[..., Any]

RULES = Stack().of_type("AWS::Events::Rule")
BUCKET = "missed-logs"


@pytest.fixture(scope="module")
def deaf(alert_mode: Deployed) -> Iterator[Deployed]:
    """The stack in alert mode, while no event reaches it."""
    events = alert_mode.account.client("events")
    rules = [alert_mode.resource(name) for name in RULES]
    for rule in rules:
        events.disable_rule(Name=rule)
    terminate_all(alert_mode)
    alert_mode.forget_findings()
    alert_mode.fixtures.make_log_bucket(BUCKET)
    alert_mode.account.client("s3").put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
    )
    yield alert_mode
    alert_mode.forget_findings()
    for rule in rules:
        events.enable_rule(Name=rule)


def terminate_all(stack: Deployed) -> None:
    """Leave no cluster of another test to be re-scanned."""
    emr = stack.account.client("emr")
    pages = emr.get_paginator("list_clusters").paginate(
        ClusterStates=["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
    )
    for cluster in [each for page in pages for each in page["Clusters"]]:
        emr.terminate_job_flows(JobFlowIds=[cluster["Id"]])


def start(stack: Deployed, **asked: object) -> str:
    """Start a re-scan; name its execution."""
    answer = stack.account.client("stepfunctions").start_execution(
        stateMachineArn=stack.outputs["RescanStateMachineArn"], input=json.dumps(asked)
    )
    arn: str = answer["executionArn"]
    return arn


def ended(stack: Deployed, execution: str) -> dict[str, Any]:
    """Give an execution once it has ended; nothing while it runs."""
    states = stack.account.client("stepfunctions")
    answer: dict[str, Any] = states.describe_execution(executionArn=execution)
    return {} if answer["status"] == "RUNNING" else answer


def rescan(stack: Deployed, eventually: Eventually, **asked: object) -> dict[str, Any]:
    """Make a re-scan and read its report."""
    execution = start(stack, **asked)
    end = eventually(lambda: ended(stack, execution))
    assert end["status"] == "SUCCEEDED", end
    bucket, _, key = json.loads(end["output"])["report"].removeprefix("s3://").partition("/")
    assert bucket == stack.outputs["ReportsBucketName"]
    body = stack.account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    report: dict[str, Any] = json.loads(body)
    assert report["execution"] == execution
    return report


def page_of(stack: Deployed, execution: str) -> str:
    """Read a run's report as a page."""
    key = f"rescans/{execution.rpartition(':')[2]}/report.html"
    bucket = stack.outputs["ReportsBucketName"]
    page: str = (
        stack.account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    )
    return page


def id_of(stack: Deployed, cluster_id: str, rule_id: str) -> str:
    return f"{stack.cluster_arn(cluster_id)}#{rule_id}"


def notified(stack: Deployed, cluster_id: str) -> list[str]:
    return [alert["kind"] for alert in stack.inbox.about(cluster_id)]


def summaries(stack: Deployed, execution: str) -> list[dict[str, Any]]:
    """The alerts about a run itself."""
    stack.inbox.receive()
    return [
        alert
        for alert in stack.inbox.alerts
        if alert["kind"] == "rescan.done" and alert["execution"] == execution
    ]


def test_violation_missed_by_events_is_alerted_once_and_compared_with_the_last_run(
    deaf: Deployed, eventually: Eventually
) -> None:
    good = deaf.fixtures.launch("missed-good", LogEncryptionKmsKeyId=deaf.keys.approved)
    bad = deaf.fixtures.launch("missed-bad")

    first = rescan(deaf, eventually, scope="clusters")

    wrong = id_of(deaf, bad, "EMRLOG-002")
    assert wrong in first["new"]
    assert not [each for each in first["new"] if good in each]
    assert (first["compliance"], first["failed_shards"]) == ("NON_COMPLIANT", [])
    assert notified(deaf, bad) == ["finding.opened"]
    assert notified(deaf, good) == []
    [alert] = summaries(deaf, first["execution"])
    assert alert["counts"] == first["counts"]
    assert wrong in alert["new"]

    second = rescan(deaf, eventually, scope="clusters")

    page = page_of(deaf, second["execution"])
    assert "<b>EMRLOG-002</b>" in page
    assert "missed-bad" in page
    assert "Open findings after each re-scan" in page
    assert second["compared_with"] == first["execution"]
    assert wrong in second["still_open"]
    assert second["new"] == []
    assert second["counts"]["clusters_described"] < first["counts"]["clusters_described"]
    assert notified(deaf, bad) == ["finding.opened"]

    deaf.account.client("emr").terminate_job_flows(JobFlowIds=[bad])
    eventually(lambda: deaf.fixtures.state_of(bad) == "TERMINATED")
    third = rescan(deaf, eventually, scope="clusters")

    assert wrong in third["resolved"]
    assert notified(deaf, bad) == ["finding.opened", "finding.resolved"]


def test_log_objects_are_checked_once_and_every_version_by_a_deep_run(
    deaf: Deployed, eventually: Eventually
) -> None:
    s3, keys = deaf.account.client("s3"), deaf.keys
    cluster_id = deaf.fixtures.launch(
        "missed-logs", LogUri=f"s3://{BUCKET}/clusters/", LogEncryptionKmsKeyId=keys.approved
    )

    def write(name: str, encryption: dict[str, str]) -> str:
        return deaf.fixtures.write_log(cluster_id, name, encryption, bucket=BUCKET)

    for number in range(3):
        write(f"node/i-{number}/log.gz", keys.encrypt(keys.approved))
    write("steps/s-1/stderr.gz", keys.encrypt(keys.approved))
    hidden = write("node/i-9/log.gz", {})
    write("node/i-9/log.gz", keys.encrypt(keys.approved))  # the bad version is old now

    first = rescan(deaf, eventually)

    assert first["failed_shards"] == []
    assert first["counts"]["log_objects"]["COMPLIANT"] >= 5
    assert notified(deaf, cluster_id) == []

    write("containers/application_1/bad.gz", {})
    second = rescan(deaf, eventually, scope="log_objects")

    wrong = id_of(deaf, cluster_id, "EMRLOG-101")
    assert wrong in second["new"]
    [finding] = [each for each in second["findings"] if each["id"] == wrong]
    assert finding["occurrences"] == 1
    assert notified(deaf, cluster_id) == ["finding.opened"]

    third = rescan(deaf, eventually, scope="log_objects", deep=True)

    [finding] = [each for each in third["findings"] if each["id"] == wrong]
    assert finding["occurrences"] == 2
    assert hidden in " ".join(finding["evidence"]["samples"])
    assert notified(deaf, cluster_id) == ["finding.opened"]

    for version in s3.list_object_versions(Bucket=BUCKET, Prefix="clusters/")["Versions"]:
        s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    fourth = rescan(deaf, eventually, scope="log_objects", deep=True)

    assert wrong in fourth["resolved"]
    assert notified(deaf, cluster_id) == ["finding.opened", "finding.resolved"]


def test_failed_and_denied_shards_are_reported_and_the_others_are_scanned(
    deaf: Deployed, eventually: Eventually
) -> None:
    approved = deaf.keys.approved
    deaf.fixtures.launch("in-order", LogEncryptionKmsKeyId=approved)
    lost = deaf.fixtures.launch(
        "lost-bucket", LogUri="s3://never-made/", LogEncryptionKmsKeyId=approved
    )
    foreign = deaf.fixtures.launch(
        "partner", LogUri=f"s3://{OTHER_ACCOUNTS_BUCKET}/clusters/", LogEncryptionKmsKeyId=approved
    )

    report = rescan(deaf, eventually)

    [denied] = [each for each in report["denied_shards"] if foreign in each["about"]]
    assert denied["reason"].endswith("answered AccessDenied")
    assert not [each for each in report["failed_shards"] if foreign in each["about"]]

    [failed] = [each for each in report["failed_shards"] if lost in each["about"]]
    assert "s3:ListBucket" in failed["reason"]
    assert "NoSuchBucket" in failed["reason"]
    assert report["counts"]["clusters"]["COMPLIANT"]
    [alert] = summaries(deaf, report["execution"])
    assert any(lost in each["about"] for each in alert["failed_shards"])
    deaf.account.client("emr").terminate_job_flows(JobFlowIds=[lost, foreign])
    eventually(lambda: deaf.fixtures.state_of(lost) == "TERMINATED")


def test_second_rescan_is_refused_until_the_first_is_stopped(
    deaf: Deployed, eventually: Eventually
) -> None:
    states = deaf.account.client("stepfunctions")
    machine = deaf.outputs["RescanStateMachineArn"]
    usual = states.describe_state_machine(stateMachineArn=machine)["definition"]
    hang = {"StartAt": "Hang", "States": {"Hang": {"Type": "Wait", "Seconds": 36000, "End": True}}}
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(hang))
    hanging = start(deaf)

    def entered() -> bool:
        events = states.get_execution_history(executionArn=hanging)["events"]
        return any(event["type"] == "WaitStateEntered" for event in events)

    eventually(entered)
    states.update_state_machine(stateMachineArn=machine, definition=usual)
    lease = {"pk": {"S": "rescan"}, "sk": {"S": "lease"}, "execution": {"S": hanging}}
    table = deaf.outputs["FindingsTableName"]
    deaf.account.client("dynamodb").put_item(TableName=table, Item=lease)
    second = start(deaf, scope="clusters")

    refused = eventually(lambda: ended(deaf, second))

    assert (refused["status"], refused["error"]) == ("FAILED", "RescanRefused")
    assert f"a re-scan is running: {hanging}" in refused["cause"]

    states.stop_execution(executionArn=hanging, cause="a test")
    assert rescan(deaf, eventually, scope="clusters")["failed_shards"] == []


def test_invalid_input_fails_the_execution(deaf: Deployed, eventually: Eventually) -> None:
    execution = start(deaf, scope="everything")

    end = eventually(lambda: ended(deaf, execution))

    assert end["status"] == "FAILED"
    assert "$.input.scope" in end["cause"]


def test_stored_results_are_encrypted_with_the_stack_key(
    deaf: Deployed, eventually: Eventually
) -> None:
    report = rescan(deaf, eventually, scope="clusters")
    s3, bucket = deaf.account.client("s3"), deaf.outputs["ReportsBucketName"]
    run = report["execution"].rpartition(":")[2]

    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"rescans/{run}/")["Contents"]
    names = {each["Key"].split("/")[2] for each in listed}
    reports = {f"report.{form}" for form in ("html", "json", "txt")}
    assert names == {"shards", "results", "done", *reports}
    for each in listed:
        head = s3.head_object(Bucket=bucket, Key=each["Key"])
        assert head["ServerSideEncryption"] == "aws:kms"
        assert deaf.resource("ReportsKey") in head["SSEKMSKeyId"]
    assert datetime.fromisoformat(report["started"]) <= datetime.now(UTC)


def operating(stack: Deployed) -> dict[str, Statement]:
    """What docs/operations.md says that an operator needs, by action."""
    here = "us-east-1:111122223333"
    machine = stack.outputs["RescanStateMachineArn"]
    executions = f"{machine.replace(':stateMachine:', ':execution:')}:*"
    needed = {
        "cloudformation:ListStackResources": (
            f"arn:aws:cloudformation:{here}:stack/emr-log-guard/*"
        ),
        "states:StartExecution": stack.outputs["RescanStateMachineArn"],
        "states:DescribeExecution": executions,
        "s3:GetObject": f"arn:aws:s3:::{stack.outputs['ReportsBucketName']}/rescans/*",
        "kms:Decrypt": f"arn:aws:kms:{here}:key/{stack.resource('ReportsKey')}",
    }
    return {
        action: {"Effect": "Allow", "Action": action, "Resource": resource}
        for action, resource in needed.items()
    }


def test_command_waits_prints_the_report_and_exits_with_its_status(deaf: Deployed) -> None:
    bad = deaf.fixtures.launch("seen-by-the-command")

    result = command(deaf, [*operating(deaf).values()], "rescan", "--clusters", "--wait")

    assert result.returncode == 1, result.stderr
    assert result.stdout.startswith("EMR log re-scan: ")
    assert bad in result.stdout
    assert result.stderr.startswith("Started arn:aws:states:")


@pytest.mark.parametrize(
    "action", ["cloudformation:ListStackResources", "states:StartExecution", "s3:GetObject"]
)
def test_command_names_the_call_that_a_missing_permission_denies(
    deaf: Deployed, action: str
) -> None:
    allowed = [each for name, each in operating(deaf).items() if name != action]

    result = command(deaf, allowed, "rescan", "--clusters", "--wait")

    assert result.returncode == 2
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert action in line


def test_schedules_start_rescans(deaf: Deployed, eventually: Eventually) -> None:
    scheduler = deaf.account.client("scheduler")
    states = deaf.account.client("stepfunctions")
    machine = deaf.outputs["RescanStateMachineArn"]

    def started() -> list[str]:
        found = states.list_executions(stateMachineArn=machine)["executions"]
        return [each["executionArn"] for each in found]

    for name, asked in (("DailyRescan", {}), ("DeepRescan", {"deep": True})):
        schedule = scheduler.get_schedule(Name=deaf.resource(name))
        assert json.loads(schedule["Target"]["Input"]) == asked
        before = started()
        soon = datetime.now(UTC) + timedelta(seconds=3)

        scheduler.update_schedule(
            Name=schedule["Name"],
            ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=schedule["Target"],
        )
        [execution] = eventually(lambda before=before: sorted({*started()} - {*before}))

        end = eventually(lambda execution=execution: ended(deaf, execution))
        assert json.loads(end["input"]) == asked
        assert end["status"] == "SUCCEEDED"
        scheduler.update_schedule(
            Name=schedule["Name"],
            ScheduleExpression=schedule["ScheduleExpression"],
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=schedule["Target"],
        )
