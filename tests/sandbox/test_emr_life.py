"""The life cycle of a cluster and its steps, and the events about both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

    from sandbox import Sandbox


class Events:
    """The EMR events of one cluster, in the order of their arrival in a queue."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sqs: SQSClient = sandbox.client("sqs")
        self.queue = self.sqs.create_queue(QueueName="emr-events")["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        events = sandbox.client("events")
        events.put_rule(Name="emr", EventPattern=json.dumps({"source": ["aws.emr"]}))
        events.put_targets(
            Rule="emr", Targets=[{"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]}]
        )
        self.seen: list[dict[str, Any]] = []

    def of(self, cluster: str) -> list[dict[str, Any]]:
        received = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            self.seen.append(json.loads(message["Body"]))
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in self.seen if event["detail"]["clusterId"] == cluster]


@pytest.fixture(scope="module")
def events(sandbox: Sandbox) -> Events:
    return Events(sandbox)


def launch(sandbox: Sandbox, *, stays: bool) -> str:
    step = {"Name": "count", "HadoopJarStep": {"Jar": "command-runner.jar"}}
    launched = sandbox.client("emr").run_job_flow(
        Name="etl",
        Instances={"InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": stays},
        Steps=[step],
    )
    cluster: str = launched["JobFlowId"]
    return cluster


def test_cluster_terminates_after_its_last_step(
    sandbox: Sandbox, events: Events, eventually: Callable[..., Any]
) -> None:
    cluster = launch(sandbox, stays=False)

    def events_so_far() -> list[dict[str, Any]]:
        found = events.of(cluster)
        return found if found and found[-1]["detail"]["state"] == "TERMINATED" else []

    found = eventually(events_so_far)
    states = [e["detail"]["state"] for e in found if "Cluster" in e["detail-type"]]
    steps = [e["detail"]["state"] for e in found if "Step" in e["detail-type"]]
    assert states.count("STARTING") > 1
    assert states[-2:] == ["RUNNING", "TERMINATED"]
    assert set(states) == {"STARTING", "RUNNING", "TERMINATED"}
    assert steps == ["PENDING", "RUNNING", "COMPLETED"]
    last = found[-1]
    assert last["detail-type"] == "EMR Cluster State Change"
    assert (last["source"], last["account"], last["region"]) == (
        "aws.emr",
        "111122223333",
        "us-east-1",
    )
    assert last["resources"] == []
    assert set(last["detail"]) == {
        "clusterId",
        "name",
        "state",
        "severity",
        "message",
        "stateChangeReason",
    }
    assert last["detail"]["severity"] == "INFO"
    assert json.loads(last["detail"]["stateChangeReason"])["code"] == "ALL_STEPS_COMPLETED"
    step = next(e["detail"] for e in found if "Step" in e["detail-type"])
    assert set(step) == {
        "clusterId",
        "stepId",
        "name",
        "state",
        "severity",
        "actionOnFailure",
        "message",
    }


def test_long_running_cluster_waits_for_more_steps(
    sandbox: Sandbox, events: Events, eventually: Callable[..., Any]
) -> None:
    cluster = launch(sandbox, stays=True)

    def events_so_far() -> list[dict[str, Any]]:
        found = events.of(cluster)
        return found if found and found[-1]["detail"]["state"] == "WAITING" else []

    eventually(events_so_far)
    status = sandbox.client("emr").describe_cluster(ClusterId=cluster)["Cluster"]["Status"]
    assert status["State"] == "WAITING"
    assert "ReadyDateTime" in status["Timeline"]


def test_cluster_can_be_terminated_while_it_starts(
    sandbox: Sandbox, events: Events, eventually: Callable[..., Any]
) -> None:
    cluster = launch(sandbox, stays=True)

    sandbox.client("emr").terminate_job_flows(JobFlowIds=[cluster])

    eventually(lambda: "TERMINATED" in [e["detail"]["state"] for e in events.of(cluster)])
    assert "RUNNING" not in [e["detail"]["state"] for e in events.of(cluster)]
