"""EMR returns a cluster's complete settings, and lists clusters in pages. Upstream: yes.

MiniStack drops the log key and the monitoring configuration, returns an empty LogUri where AWS
returns none, gives every cluster a release label, and lists all clusters on one page.

https://docs.aws.amazon.com/emr/latest/APIReference/API_Cluster.html
https://docs.aws.amazon.com/emr/latest/APIReference/API_ListClusters.html
"""

import re
import time
from collections.abc import Mapping
from typing import Any

from sandbox.emulator_patches.hooks import Response, answer, handle_emr, original_emr, part, refuse
from sandbox.emulator_patches.pages import InvalidMarkerError, page

COPIED = (
    "AutoScalingRole",
    "Configurations",
    "CustomAmiId",
    "EbsRootVolumeSize",
    "KerberosAttributes",
    "LogEncryptionKmsKeyId",
    "MonitoringConfiguration",
    "OSReleaseLabel",
    "ScaleDownBehavior",
    "SecurityConfiguration",
    "SessionEnabled",
)
"""The fields of RunJobFlow that Cluster returns unchanged."""

SESSIONS = "Sessions"
"""The field of a cluster's record that holds its sessions."""
NOT_IN_CLUSTER = ("BootstrapActions", "InstanceFleets", "InstanceGroups", SESSIONS)
"""Fields of the record that AWS returns through other actions."""


def unknown_cluster(cluster_id: object) -> Response:
    """The error for an unknown cluster id."""
    return refuse("InvalidRequestException", f"Cluster id '{cluster_id}' is not valid.")


def cluster_record(cluster_id: object) -> dict[str, Any] | None:
    """MiniStack's record of a cluster in the request's account and Region."""
    record: dict[str, Any] | None = part("services.emr", "_clusters").get(cluster_id)
    return record


def as_read_back(log_uri: str) -> str:
    """A log URI as EMR returns it: `s3n://`, with a trailing slash.

    https://github.com/hashicorp/terraform-provider-aws/issues/1374
    """
    return re.sub(r"^s3[an]?://", "s3n://", log_uri.rstrip("/")) + "/"


def correct(record: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Complete a new cluster's record from its RunJobFlow request."""
    record.update({field: request[field] for field in COPIED if field in request})
    if request.get("LogUri"):
        record["LogUri"] = as_read_back(request["LogUri"])
    if "AmiVersion" in request:
        record.pop("ReleaseLabel", None)
        record["RequestedAmiVersion"] = record["RunningAmiVersion"] = request["AmiVersion"]
    record["Status"]["Timeline"] = {"CreationDateTime": time.time()}


def described(record: Mapping[str, Any]) -> dict[str, Any]:
    """A cluster's record as DescribeCluster returns it: empty fields are omitted."""
    cluster = {
        field: value
        for field, value in record.items()
        if field not in NOT_IN_CLUSTER and value not in ("", None)
    }
    cluster["Ec2InstanceAttributes"] = {
        field: value for field, value in record["Ec2InstanceAttributes"].items() if value != ""
    }
    return cluster


def run_job_flow_refusal(request: Mapping[str, Any]) -> Response | None:
    """The error for a RunJobFlow request that EMR rejects, or None."""
    if not isinstance(request.get("Instances"), dict):
        return refuse("ValidationException", "Instances is required")
    log_uri = request.get("LogUri")
    if log_uri and not re.match(r"s3[an]?://[^/]+", log_uri):
        return refuse("ValidationException", f"The log URI {log_uri} is not valid.")
    return None


def describe_cluster(request: dict[str, Any]) -> Response:
    """Handle DescribeCluster."""
    record = cluster_record(request.get("ClusterId"))
    if record is None:
        return unknown_cluster(request.get("ClusterId"))
    return answer({"Cluster": described(record)})


def _listed(record: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    created: float = record["Status"]["Timeline"]["CreationDateTime"]
    states = request.get("ClusterStates")
    return (
        (not states or record["Status"]["State"] in states)
        and created > request.get("CreatedAfter", 0)
        and created < request.get("CreatedBefore", float("inf"))
    )


def list_clusters(request: dict[str, Any]) -> Response:
    """Handle ListClusters, 50 clusters per page."""
    summaries = [
        {
            field: record[field]
            for field in ("Id", "Name", "Status", "NormalizedInstanceHours", "ClusterArn")
        }
        for record in part("services.emr", "_clusters").values()
        if _listed(record, request)
    ]
    try:
        return answer(page(summaries, "Clusters", request.get("Marker")))
    except InvalidMarkerError as error:
        return refuse("InvalidRequestException", str(error))


def install() -> None:
    """Handle RunJobFlow, DescribeCluster and ListClusters as documented."""
    run = original_emr("RunJobFlow")

    def run_job_flow(request: dict[str, Any]) -> Response:
        if (refusal := run_job_flow_refusal(request)) is not None:
            return refusal
        known = set(part("services.emr", "_clusters").keys())
        response = run(request)
        for cluster_id, record in part("services.emr", "_clusters").items():
            if cluster_id not in known:
                correct(record, request)
        return response

    handle_emr("RunJobFlow", run_job_flow)
    handle_emr("DescribeCluster", describe_cluster)
    handle_emr("ListClusters", list_clusters)
