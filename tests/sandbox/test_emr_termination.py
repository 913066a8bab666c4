from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient

    from sandbox import Sandbox


@pytest.fixture
def emr(sandbox: Sandbox) -> EMRClient:
    client: EMRClient = sandbox.client("emr")
    return client


def a_cluster(emr: EMRClient, *, protected: bool = False) -> str:
    instances: Any = {
        "InstanceCount": 1,
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": protected,
    }
    return emr.run_job_flow(Name="etl", Instances=instances)["JobFlowId"]


def state(emr: EMRClient, cluster: str) -> str:
    return emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"]


def code_and_message(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_cluster_is_terminating_before_it_is_terminated(
    emr: EMRClient, eventually: Callable[..., Any]
) -> None:
    cluster = a_cluster(emr)

    emr.terminate_job_flows(JobFlowIds=[cluster])

    assert state(emr, cluster) == "TERMINATING"
    eventually(lambda: state(emr, cluster) == "TERMINATED")
    status = emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]
    assert status["StateChangeReason"] == {
        "Code": "USER_REQUEST",
        "Message": "Terminated by user request",
    }
    assert "EndDateTime" in status["Timeline"]
    emr.terminate_job_flows(JobFlowIds=[cluster])
    assert state(emr, cluster) == "TERMINATED"


def test_unprotected_clusters_terminate_beside_a_protected_one(emr: EMRClient) -> None:
    kept, gone = a_cluster(emr, protected=True), a_cluster(emr)

    with pytest.raises(ClientError) as caught:
        emr.terminate_job_flows(JobFlowIds=[kept, gone])

    assert code_and_message(caught) == (
        "ValidationException",
        "Could not shut down one or more job flows since they are termination protected.",
    )
    assert state(emr, kept) not in {"TERMINATING", "TERMINATED"}
    assert state(emr, gone) in {"TERMINATING", "TERMINATED"}


def test_cluster_terminates_after_its_protection_is_removed(emr: EMRClient) -> None:
    cluster = a_cluster(emr, protected=True)

    emr.set_termination_protection(JobFlowIds=[cluster], TerminationProtected=False)
    emr.terminate_job_flows(JobFlowIds=[cluster])

    assert state(emr, cluster) in {"TERMINATING", "TERMINATED"}


def test_more_than_ten_clusters_per_call_are_refused(emr: EMRClient) -> None:
    with pytest.raises(ClientError) as caught:
        emr.terminate_job_flows(JobFlowIds=[f"j-{number}" for number in range(11)])

    assert code_and_message(caught)[0] == "ValidationException"


def test_unknown_cluster_is_an_invalid_request(emr: EMRClient) -> None:
    questions: list[Callable[[], object]] = [
        lambda: emr.terminate_job_flows(JobFlowIds=["j-NONE"]),
        lambda: emr.set_termination_protection(JobFlowIds=["j-NONE"], TerminationProtected=True),
    ]
    for ask in questions:
        with pytest.raises(ClientError) as caught:
            ask()
        assert code_and_message(caught) == (
            "InvalidRequestException",
            "Cluster id 'j-NONE' is not valid.",
        )
