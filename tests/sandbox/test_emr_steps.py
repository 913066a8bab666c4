# ruff: noqa: ANN401 - requests and answers are what AWS takes and gives

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient

    from sandbox import Sandbox

KEY = "arn:aws:kms:us-east-1:111122223333:key/0f0f0f0f-0000-4000-8000-000000000000"
ELSEWHERE = {"S3MonitoringConfiguration": {"LogUri": "s3://other/", "EncryptionKeyArn": KEY}}


@pytest.fixture
def emr(sandbox: Sandbox) -> EMRClient:
    client: EMRClient = sandbox.client("emr")
    return client


def a_step(name: str, **said: Any) -> Any:
    return {"Name": name, "HadoopJarStep": {"Jar": "command-runner.jar"}, **said}


def a_cluster(emr: EMRClient, *steps: Any) -> str:
    return emr.run_job_flow(
        Name="etl",
        Instances={"InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True},
        Steps=list(steps),
    )["JobFlowId"]


def test_step_returns_its_own_log_uri_and_key(emr: EMRClient) -> None:
    cluster = a_cluster(emr, a_step("at launch", StepMonitoringConfiguration=ELSEWHERE))
    emr.add_job_flow_steps(
        JobFlowId=cluster, Steps=[a_step("later", StepMonitoringConfiguration=ELSEWHERE)]
    )

    for summary in emr.list_steps(ClusterId=cluster)["Steps"]:
        step = emr.describe_step(ClusterId=cluster, StepId=summary["Id"])["Step"]
        assert (summary["LogUri"], summary["EncryptionKeyArn"]) == ("s3://other/", KEY)
        assert (step["LogUri"], step["EncryptionKeyArn"]) == ("s3://other/", KEY)


def test_step_without_monitoring_has_no_log_settings(emr: EMRClient) -> None:
    cluster = a_cluster(emr, a_step("plain"))

    (step,) = emr.list_steps(ClusterId=cluster)["Steps"]

    assert "LogUri" not in step
    assert "EncryptionKeyArn" not in step


def test_steps_are_listed_newest_first_fifty_per_page(emr: EMRClient) -> None:
    cluster = a_cluster(emr, *(a_step(f"n{number}") for number in range(51)))

    first = emr.list_steps(ClusterId=cluster)
    second = emr.list_steps(ClusterId=cluster, Marker=first["Marker"])

    assert [step["Name"] for step in first["Steps"]] == [f"n{n}" for n in range(50, 0, -1)]
    assert [step["Name"] for step in second["Steps"]] == ["n0"]


def test_steps_run_once_the_cluster_runs(emr: EMRClient, eventually: Callable[..., Any]) -> None:
    cluster = a_cluster(emr, a_step("etl"))
    assert emr.list_steps(ClusterId=cluster)["Steps"][0]["Status"]["State"] == "PENDING"

    eventually(lambda: emr.list_steps(ClusterId=cluster, StepStates=["COMPLETED"])["Steps"])


def test_unknown_step_or_cluster_is_an_invalid_request(emr: EMRClient) -> None:
    cluster = a_cluster(emr)

    for ask in (
        lambda: emr.describe_step(ClusterId=cluster, StepId="s-NONE"),
        lambda: emr.describe_step(ClusterId="j-NONE", StepId="s-NONE"),
        lambda: emr.list_steps(ClusterId="j-NONE"),
        lambda: emr.add_job_flow_steps(JobFlowId="j-NONE", Steps=[a_step("x")]),
    ):
        with pytest.raises(ClientError) as caught:
            ask()
        assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


def state_of(emr: EMRClient, cluster: str, step: str) -> str:
    return emr.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]["State"]


def test_step_cancelled_before_its_cluster_runs_never_runs(
    emr: EMRClient, eventually: Callable[..., Any]
) -> None:
    cluster = a_cluster(emr, a_step("cancelled"), a_step("runs"))
    runs, cancelled = (step["Id"] for step in emr.list_steps(ClusterId=cluster)["Steps"])

    answer = emr.cancel_steps(ClusterId=cluster, StepIds=[cancelled])
    again = emr.cancel_steps(ClusterId=cluster, StepIds=[cancelled])

    assert answer["CancelStepsInfoList"] == [{"StepId": cancelled, "Status": "SUBMITTED"}]
    assert again["CancelStepsInfoList"][0]["Status"] == "FAILED"
    eventually(lambda: state_of(emr, cluster, runs) == "COMPLETED")
    assert state_of(emr, cluster, cancelled) == "CANCELLED"


def test_steps_of_an_unknown_cluster_cannot_be_cancelled(emr: EMRClient) -> None:
    with pytest.raises(ClientError) as caught:
        emr.cancel_steps(ClusterId="j-NONE", StepIds=["s-NONE"])
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


@pytest.mark.parametrize("state", ["FAILED", "INTERRUPTED"])
def test_tag_sets_the_state_of_a_step(
    emr: EMRClient, eventually: Callable[..., Any], state: str
) -> None:
    cluster = a_cluster(emr, a_step("ends badly"))
    (step,) = (each["Id"] for each in emr.list_steps(ClusterId=cluster)["Steps"])
    eventually(lambda: state_of(emr, cluster, step) == "COMPLETED")

    tags: Any = [
        {"Key": f"sandbox:StepState/{step}", "Value": state},
        {"Key": "team", "Value": "data"},
    ]
    emr.add_tags(ResourceId=cluster, Tags=tags)

    assert state_of(emr, cluster, step) == state
    assert emr.describe_cluster(ClusterId=cluster)["Cluster"]["Tags"] == tags
