"""TerminateJobFlows terminates unprotected clusters beside protected ones. Upstream: yes.

It accepts at most ten ids and refuses unknown ones. MiniStack stops at the first protected cluster,
accepts any number of ids and ignores unknown ones. SetTerminationProtection refuses unknown ids,
too.

https://docs.aws.amazon.com/emr/latest/APIReference/API_TerminateJobFlows.html
https://docs.aws.amazon.com/emr/latest/APIReference/API_SetTerminationProtection.html
https://github.com/cloud-custodian/cloud-custodian/issues/6409
"""

from typing import Any

from sandbox.emulator_patches import emr_life
from sandbox.emulator_patches.emr_clusters import cluster_record, unknown_cluster
from sandbox.emulator_patches.hooks import Response, answer, handle_emr, refuse

MOST_IDS = 10
OVER = ("TERMINATED", "TERMINATED_WITH_ERRORS")


def named(request: dict[str, Any]) -> list[dict[str, Any]] | Response:
    """The records of the clusters in JobFlowIds, or the error for the first unknown id."""
    records = []
    for cluster_id in request.get("JobFlowIds", []):
        record = cluster_record(cluster_id)
        if record is None:
            return unknown_cluster(cluster_id)
        records.append(record)
    return records


def terminate_job_flows(request: dict[str, Any]) -> Response:
    """Handle TerminateJobFlows: unprotected clusters terminate even if others are protected."""
    if len(request.get("JobFlowIds", [])) > MOST_IDS:
        return refuse("ValidationException", f"Size of jobFlowIds exceeds the limit of {MOST_IDS}.")
    records = named(request)
    if isinstance(records, tuple):
        return records
    alive = [record for record in records if record["Status"]["State"] not in OVER]
    for record in alive:
        if not record["TerminationProtected"]:
            emr_life.end(record, "USER_REQUEST", "Terminated by user request")
    if any(record["TerminationProtected"] for record in alive):
        return refuse(
            "ValidationException",
            "Could not shut down one or more job flows since they are termination protected.",
        )
    return answer({})


def set_termination_protection(request: dict[str, Any]) -> Response:
    """Handle SetTerminationProtection."""
    records = named(request)
    if isinstance(records, tuple):
        return records
    for record in records:
        record["TerminationProtected"] = request["TerminationProtected"]
    return answer({})


def install() -> None:
    """Handle both actions as documented."""
    handle_emr("TerminateJobFlows", terminate_job_flows)
    handle_emr("SetTerminationProtection", set_termination_protection)
