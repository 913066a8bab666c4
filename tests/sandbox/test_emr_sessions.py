# ruff: noqa: ANN401 - requests are what AWS takes

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient
    from types_boto3_emr.type_defs import SessionMonitoringConfigurationTypeDef

    from sandbox import Sandbox

KEY = "arn:aws:kms:us-east-1:111122223333:key/0f0f0f0f-0000-4000-8000-000000000000"
OWN: SessionMonitoringConfigurationTypeDef = {
    "S3LoggingConfiguration": {"LogUri": "s3://other/", "EncryptionKeyArn": KEY}
}


@pytest.fixture
def emr(sandbox: Sandbox) -> EMRClient:
    client: EMRClient = sandbox.client("emr")
    return client


def a_cluster(emr: EMRClient, **said: Any) -> str:
    return emr.run_job_flow(
        Name="notebooks",
        ReleaseLabel="emr-spark-8.0.0",
        Instances={"InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True},
        **said,
    )["JobFlowId"]


@pytest.fixture
def cluster(emr: EMRClient, eventually: Callable[..., Any]) -> str:
    """A cluster on which sessions can be started."""
    cluster_id = a_cluster(emr, SessionEnabled=True)
    eventually(
        lambda: (
            emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"] == "WAITING"
        )
    )
    return cluster_id


def names(emr: EMRClient, cluster_id: str, **asked: Any) -> list[str]:
    found = emr.list_sessions(ClusterId=cluster_id, **asked)["Sessions"]
    return [session["Name"] for session in found]


def code_of(ask: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        ask()
    return str(caught.value.response["Error"]["Code"])


def test_session_returns_its_own_log_settings(emr: EMRClient, cluster: str) -> None:
    started = emr.start_session(ClusterId=cluster, Name="ide", MonitoringConfiguration=OWN)

    (session,) = emr.list_sessions(ClusterId=cluster)["Sessions"]

    assert started["State"] == "SUBMITTED"
    assert (session["Id"], session["Arn"]) == (started["Id"], started["Arn"])
    assert session["State"] == "IDLE"
    assert session["MonitoringConfiguration"] == OWN


def test_sessions_are_listed_newest_first_in_pages(emr: EMRClient, cluster: str) -> None:
    for name in ("a", "b", "c"):
        emr.start_session(ClusterId=cluster, Name=name)

    first = emr.list_sessions(ClusterId=cluster, MaxResults=2)

    assert [session["Name"] for session in first["Sessions"]] == ["c", "b"]
    assert names(emr, cluster, MaxResults=2, NextToken=first["NextToken"]) == ["a"]
    assert code_of(lambda: names(emr, cluster, NextToken="?")) == "InvalidRequestException"


def test_sessions_are_listed_by_state_and_terminate_with_their_cluster(
    emr: EMRClient, cluster: str
) -> None:
    terminated = emr.start_session(ClusterId=cluster, Name="terminated")["Id"]
    emr.start_session(ClusterId=cluster, Name="idle")
    emr.terminate_session(ClusterId=cluster, SessionId=terminated)

    assert names(emr, cluster, SessionStates=["IDLE"]) == ["idle"]
    assert names(emr, cluster, SessionStates=["TERMINATED"]) == ["terminated"]

    emr.terminate_job_flows(JobFlowIds=[cluster])
    assert names(emr, cluster, SessionStates=["IDLE"]) == []


def test_describe_cluster_returns_whether_sessions_are_enabled_but_no_sessions(
    emr: EMRClient, cluster: str
) -> None:
    emr.start_session(ClusterId=cluster, Name="ide")

    assert emr.describe_cluster(ClusterId=cluster)["Cluster"]["SessionEnabled"] is True
    plain = emr.describe_cluster(ClusterId=a_cluster(emr))["Cluster"]
    assert "SessionEnabled" not in plain


def test_session_requires_a_name_and_a_ready_cluster_with_sessions_enabled(
    emr: EMRClient, cluster: str
) -> None:
    starting = a_cluster(emr, SessionEnabled=True)
    without = a_cluster(emr)

    for ask in (
        lambda: emr.start_session(ClusterId=cluster),
        lambda: emr.start_session(ClusterId=starting, Name="early"),
        lambda: emr.start_session(ClusterId=without, Name="off"),
        lambda: emr.start_session(ClusterId="j-NONE", Name="nowhere"),
        lambda: emr.list_sessions(ClusterId="j-NONE"),
        lambda: emr.terminate_session(ClusterId="j-NONE", SessionId="is-NONE"),
        lambda: emr.terminate_session(ClusterId=cluster, SessionId="is-NONE"),
    ):
        assert code_of(ask) == "InvalidRequestException"
