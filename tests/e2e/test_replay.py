"""The command `replay`, as an operator runs it: with no more rights than the runbook lists."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.deployed import Deployed, cluster_event, object_event
from tests.e2e.operating import Statement, command, document

type Eventually = Callable[..., Any]

READING: Statement = {
    "Effect": "Allow",
    "Action": [
        "elasticmapreduce:DescribeCluster",
        "elasticmapreduce:ListSteps",
        "iam:GetInstanceProfile",
        "iam:GetRole",
        "iam:SimulatePrincipalPolicy",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "s3:ListBucket",  # for HeadBucket: whose the log bucket is
    ],
    "Resource": "*",
}


def operating(stack: Deployed) -> list[Statement]:
    """What the runbook says that an operator needs."""
    sqs = stack.account.client("sqs")

    def queue(name: str) -> str:
        answer = sqs.get_queue_attributes(
            QueueUrl=stack.resource(name), AttributeNames=["QueueArn"]
        )
        arn: str = answer["Attributes"]["QueueArn"]
        return arn

    function = "arn:aws:lambda:us-east-1:111122223333:function:emr-log-guard-*"
    names = {"ClusterEventsQueue", "LogObjectsQueue", "EnforcementQueue"}
    queues = names & stack.resources()
    taking = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    return [
        {
            "Effect": "Allow",
            "Action": "cloudformation:ListStackResources",
            "Resource": "arn:aws:cloudformation:us-east-1:111122223333:stack/emr-log-guard/*",
        },
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function},
        {"Effect": "Allow", "Action": taking, "Resource": queue("DeadLetterQueue")},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": [*map(queue, queues)]},
    ]


def replay(
    stack: Deployed, statements: list[Statement], *arguments: str, event: object = None
) -> subprocess.CompletedProcess[str]:
    """Run the command, the event on its standard input."""
    said = json.dumps(event) if event else None
    return command(stack, statements, "replay", *arguments, said=said)


@contextmanager
def forbidden(stack: Deployed, role: str, action: str) -> Iterator[None]:
    """Take an action away from one of the stack's roles for a while."""
    iam, name = stack.account.client("iam"), stack.resource(role)
    deny = document({"Effect": "Deny", "Action": action, "Resource": "*"})
    iam.put_role_policy(RoleName=name, PolicyName="outage", PolicyDocument=deny)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="outage")


def purge(stack: Deployed) -> None:
    stack.account.client("sqs").purge_queue(QueueUrl=stack.outputs["DeadLetterQueueUrl"])


@pytest.mark.xdist_group("alert_mode")
def test_violation_missed_in_an_outage_is_alerted_after_a_replay(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    purge(alert_mode)
    events = "ClusterEventsQueue"
    # Of two checks at once only one tries to notify: as many dead letters there are, at least one.
    with (
        forbidden(alert_mode, "CheckClusterFunctionRole", "sns:Publish"),
        alert_mode.given_up_at_once(events),
    ):
        cluster_id = alert_mode.fixtures.launch("in-an-outage", LogEncryptionKmsKeyId=None)
        eventually(lambda: alert_mode.dead_letters(cluster_id) and alert_mode.idle(events))
        replayed = replay(alert_mode, operating(alert_mode), "--dead-letters", "--yes")
        assert (replayed.returncode, replayed.stderr) == (0, "")
        eventually(lambda: alert_mode.dead_letters(cluster_id) and alert_mode.idle(events))
    assert not alert_mode.inbox.about(cluster_id)
    # Who failed to tell has claimed to: that runs out by itself, after two and a half minutes.
    alert_mode.forget_findings()

    result = replay(alert_mode, operating(alert_mode), "--dead-letters", "--yes")

    assert (result.returncode, result.stderr) == (0, "")
    sent = "sent to the queue of check_cluster"
    assert f" of {cluster_id}: {sent}" in result.stdout
    assert "0 left" in result.stdout
    [alert] = eventually(lambda: alert_mode.inbox.about(cluster_id))
    assert [finding["rule_id"] for finding in alert["findings"]] == ["EMRLOG-002"]
    assert alert_mode.dead_letters(cluster_id) == []


@pytest.mark.xdist_group("alert_mode")
def test_log_object_is_replayed_and_an_unknown_dead_letter_stays(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    purge(alert_mode)
    alert_mode.account.client("s3").create_bucket(Bucket="missed-logs")
    cluster_id = alert_mode.fixtures.launch(
        "missed", LogUri="s3://missed-logs/", LogEncryptionKmsKeyId=alert_mode.keys.approved
    )
    key = f"{cluster_id}/node/log.gz"
    alert_mode.account.client("s3").put_object(Bucket="missed-logs", Key=key, Body=b"log")
    sqs, url = alert_mode.account.client("sqs"), alert_mode.outputs["DeadLetterQueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(object_event("missed-logs", key)))
    sqs.send_message(QueueUrl=url, MessageBody="{not JSON")

    result = replay(alert_mode, operating(alert_mode), "--dead-letters", "--yes")

    assert result.returncode == 1
    assert "1 message replayed, 1 left" in result.stdout
    [alert] = eventually(lambda: alert_mode.about_logs(cluster_id))
    assert alert["findings"][0]["rule_id"] == "EMRLOG-101"
    [left] = alert_mode.dead_letters("{not JSON")
    assert left["Body"] == "{not JSON"
    purge(alert_mode)


@pytest.mark.xdist_group("alert_mode")
def test_event_is_replayed_and_the_error_for_an_unknown_cluster_is_printed(
    alert_mode: Deployed,
) -> None:
    cluster_id = alert_mode.fixtures.launch(
        "replayed", LogEncryptionKmsKeyId=alert_mode.keys.approved
    )
    operator = operating(alert_mode)

    good = replay(alert_mode, operator, "-", event=cluster_event(cluster_id))
    gone = replay(alert_mode, operator, "-", event=cluster_event("j-NOSUCHCLUSTER"))
    denied = replay(alert_mode, operator[:1], "-", event=cluster_event(cluster_id))

    assert (good.returncode, good.stderr) == (0, "")
    assert f"{cluster_id} is COMPLIANT; no action was needed" in good.stdout
    assert gone.returncode == 1
    # The emulator calls every error of a handler by one type.
    assert "failed: Runtime.HandlerError: Cluster id 'j-NOSUCHCLUSTER' is not val" in gone.stderr
    assert denied.returncode == 2
    assert "lambda:InvokeFunction on" in denied.stderr


@pytest.mark.xdist_group("alert_mode")
def test_local_replay_needs_read_permissions_only(alert_mode: Deployed) -> None:
    good = alert_mode.fixtures.launch("read-good", LogEncryptionKmsKeyId=alert_mode.keys.approved)
    bad = alert_mode.fixtures.launch(
        "read-bad", ReleaseLabel="emr-5.29.0", LogEncryptionKmsKeyId="x"
    )

    results = [
        replay(alert_mode, [READING], "-", "--local", event=cluster_event(each))
        for each in (good, bad)
    ]
    blind = {**READING, "Action": "elasticmapreduce:*"}
    doubtful = replay(alert_mode, [blind], "-", "--local", event=cluster_event(good))

    assert [result.returncode for result in (*results, doubtful)] == [0, 1, 3]
    assert "is COMPLIANT" in results[0].stdout
    assert "EMRLOG-003 release-supports-log-key: HIGH" in results[1].stdout
    assert "COULD NOT BE DETERMINED" in doubtful.stdout
    without = {**READING, "Action": "s3:GetObject"}
    assert replay(alert_mode, [without], "-", "--local", event=cluster_event(good)).returncode == 2


@pytest.mark.xdist_group("enforce_mode")
def test_replayed_enforcement_request_terminates_its_cluster(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    purge(enforce_mode)
    with enforce_mode.policy('{"mode": "alert"}'):
        cluster_id = enforce_mode.fixtures.launch("not-terminated-yet")
        eventually(lambda: enforce_mode.launch_checked(cluster_id))
        eventually(lambda: enforce_mode.inbox.about(cluster_id))
    # The cluster has no records: `enforce` requests a check before it terminates it.
    assert not enforce_mode.repository.read(cluster_id).records
    request = {
        "schema": "emr-log-guard/enforcement/1",
        "cluster_arn": enforce_mode.cluster_arn(cluster_id),
    }
    enforce_mode.account.client("sqs").send_message(
        QueueUrl=enforce_mode.outputs["DeadLetterQueueUrl"], MessageBody=json.dumps(request)
    )
    assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"

    result = replay(enforce_mode, operating(enforce_mode), "--dead-letters", "--yes")

    assert (result.returncode, result.stderr) == (0, "")
    assert f"request to terminate {cluster_id}: sent to the queue of enforce" in result.stdout
    eventually(lambda: enforce_mode.fixtures.state_of(cluster_id) == "TERMINATED")
    assert enforce_mode.dead_letters(cluster_id) == []
