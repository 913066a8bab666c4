# ruff: noqa: ANN401 - requests and answers are what AWS takes and gives

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient

    from sandbox import Sandbox

KEY = "arn:aws:kms:us-east-1:111122223333:key/0f0f0f0f-0000-4000-8000-000000000000"


@pytest.fixture
def emr(sandbox: Sandbox) -> EMRClient:
    client: EMRClient = sandbox.client("emr")
    return client


def launched(emr: EMRClient, **said: Any) -> dict[str, Any]:
    request = {"Name": "etl", "ReleaseLabel": "emr-7.1.0", "Instances": {"InstanceCount": 1}} | said
    cluster_id = emr.run_job_flow(**request)["JobFlowId"]
    cluster: dict[str, Any] = dict(emr.describe_cluster(ClusterId=cluster_id)["Cluster"])
    return cluster


def test_describe_cluster_returns_the_log_key_and_the_monitoring_configuration(
    emr: EMRClient,
) -> None:
    monitoring = {
        "CloudWatchLogConfiguration": {
            "Enabled": True,
            "LogGroupName": "/emr",
            "EncryptionKeyArn": KEY,
            "LogTypes": {"STEP_LOGS": ["STDOUT"]},
        },
        "S3LoggingConfiguration": {"LogTypeUploadPolicy": {"system-logs": "on-customer-s3only"}},
    }

    cluster = launched(
        emr,
        LogUri="s3://logs/emr",
        LogEncryptionKmsKeyId=KEY,
        MonitoringConfiguration=monitoring,
        SessionEnabled=True,
        SecurityConfiguration="emrfs",
    )

    assert cluster["LogEncryptionKmsKeyId"] == KEY
    assert cluster["MonitoringConfiguration"] == monitoring
    assert cluster["SessionEnabled"] is True
    assert cluster["SecurityConfiguration"] == "emrfs"


@pytest.mark.parametrize(
    "typed", ["s3://logs/emr", "s3://logs/emr/", "s3n://logs/emr", "s3a://logs/emr/"]
)
def test_log_uri_is_returned_as_s3n_with_a_trailing_slash(emr: EMRClient, typed: str) -> None:
    assert launched(emr, LogUri=typed)["LogUri"] == "s3n://logs/emr/"


def test_settings_that_were_not_given_are_absent(emr: EMRClient) -> None:
    cluster = launched(emr)

    assert not {"LogUri", "LogEncryptionKmsKeyId", "MonitoringConfiguration"} & set(cluster)
    assert "Ec2KeyName" not in cluster["Ec2InstanceAttributes"]


def test_roles_tags_and_protection_are_returned(emr: EMRClient) -> None:
    tags = [{"Key": "team", "Value": "research"}]

    cluster = launched(
        emr,
        ServiceRole="EMR_DefaultRole",
        JobFlowRole="EMR_EC2_DefaultRole",
        Tags=tags,
        Instances={"InstanceCount": 1, "TerminationProtected": True},
    )

    assert cluster["ServiceRole"] == "EMR_DefaultRole"
    assert cluster["Ec2InstanceAttributes"]["IamInstanceProfile"] == "EMR_EC2_DefaultRole"
    assert cluster["Tags"] == tags
    assert cluster["TerminationProtected"] is True


def test_ami_cluster_has_no_release_label(sandbox: Sandbox) -> None:
    emr = sandbox.client("emr")

    cluster_id = emr.run_job_flow(Name="old", AmiVersion="3.11.0", Instances={"InstanceCount": 1})
    cluster = emr.describe_cluster(ClusterId=cluster_id["JobFlowId"])["Cluster"]

    assert "ReleaseLabel" not in cluster
    assert cluster["RunningAmiVersion"] == cluster["RequestedAmiVersion"] == "3.11.0"


def test_unknown_cluster_is_an_invalid_request(emr: EMRClient) -> None:
    with pytest.raises(ClientError, match="Cluster id 'j-NONE' is not valid") as caught:
        emr.describe_cluster(ClusterId="j-NONE")

    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


def test_invalid_log_uri_is_a_validation_error(emr: EMRClient) -> None:
    with pytest.raises(ClientError) as caught:
        launched(emr, LogUri="file:///tmp")

    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.fixture
def crowded(sandbox: Sandbox) -> EMRClient:
    client: EMRClient = sandbox.client("emr", region_name="eu-west-3")
    for number in range(52):
        client.run_job_flow(Name=f"n{number}", Instances={"InstanceCount": 1})
    return client


def test_list_clusters_returns_fifty_per_page_filtered_by_state_and_date(
    crowded: EMRClient,
) -> None:
    first: dict[str, Any] = dict(crowded.list_clusters())
    second: dict[str, Any] = dict(crowded.list_clusters(Marker=first["Marker"]))

    assert len(first["Clusters"]) == 50
    assert len(second["Clusters"]) == 2
    assert "Marker" not in second
    assert len({c["Id"] for c in first["Clusters"] + second["Clusters"]}) == 52
    assert set(first["Clusters"][0]) == {
        "Id",
        "Name",
        "Status",
        "NormalizedInstanceHours",
        "ClusterArn",
    }
    long_ago, far_off = datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
    assert not crowded.list_clusters(CreatedBefore=long_ago)["Clusters"]
    assert not crowded.list_clusters(CreatedAfter=far_off)["Clusters"]
    assert crowded.list_clusters(CreatedAfter=long_ago, CreatedBefore=far_off)["Clusters"]
    assert not crowded.list_clusters(ClusterStates=["TERMINATED_WITH_ERRORS"])["Clusters"]
    with pytest.raises(ClientError, match="Marker"):
        crowded.list_clusters(Marker="nonsense!")
