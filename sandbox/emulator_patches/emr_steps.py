"""EMR steps have log settings, wait for their cluster and send events. Upstream: yes, but the tag.

MiniStack drops StepMonitoringConfiguration, completes a step before its cluster has started,
and cancels steps without an event.

The patch also adds a control for tests, which is not for upstream: the cluster's tag
`sandbox:StepState/<step id>` sets the step's state to its value, such as FAILED or INTERRUPTED,
which no API call can cause.

https://docs.aws.amazon.com/emr/latest/APIReference/API_StepMonitoringConfiguration.html
https://docs.aws.amazon.com/emr/latest/APIReference/API_ListSteps.html
https://docs.aws.amazon.com/emr/latest/APIReference/API_CancelSteps.html
"""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sandbox.emulator_patches import emr_events, emr_life
from sandbox.emulator_patches.emr_clusters import cluster_record, unknown_cluster
from sandbox.emulator_patches.hooks import (
    Response,
    answer,
    handle_emr,
    part,
    refuse,
    wrap,
)
from sandbox.emulator_patches.pages import InvalidMarkerError, page

TERMINATION_STATES = ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")
OVER = ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")
STATE = "sandbox:StepState/"
"""The prefix of the tags that set a step's state."""


def correct(step: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a new step's record from its StepConfig; the step waits for its cluster."""
    logs = request.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
    step.update({field: logs[field] for field in ("LogUri", "EncryptionKeyArn") if field in logs})
    step["Status"] = {
        "State": "PENDING",
        "StateChangeReason": {},
        "Timeline": {"CreationDateTime": time.time()},
    }
    return step


def steps_of(cluster_id: object) -> list[dict[str, Any]]:
    """The records of a cluster's steps, oldest first."""
    steps: list[dict[str, Any]] = part("services.emr", "_steps").get(cluster_id, [])
    return steps


def list_steps(request: dict[str, Any]) -> Response:
    """Handle ListSteps, newest first, 50 steps per page."""
    cluster_id = request.get("ClusterId")
    if cluster_record(cluster_id) is None:
        return unknown_cluster(cluster_id)
    states, ids = request.get("StepStates"), request.get("StepIds")
    steps = [
        step
        for step in reversed(steps_of(cluster_id))
        if (not states or step["Status"]["State"] in states) and (not ids or step["Id"] in ids)
    ]
    try:
        return answer(page(steps, "Steps", request.get("Marker")))
    except InvalidMarkerError as error:
        return refuse("InvalidRequestException", str(error))


def describe_step(request: dict[str, Any]) -> Response:
    """Handle DescribeStep."""
    cluster_id = request.get("ClusterId")
    if cluster_record(cluster_id) is None:
        return unknown_cluster(cluster_id)
    for step in steps_of(cluster_id):
        if step["Id"] == request.get("StepId"):
            return answer({"Step": step})
    return refuse("InvalidRequestException", f"Step id '{request.get('StepId')}' is not valid.")


def add_job_flow_steps(request: dict[str, Any]) -> Response:
    """Handle AddJobFlowSteps: the steps run once the cluster does."""
    record = cluster_record(request.get("JobFlowId"))
    if record is None:
        return unknown_cluster(request.get("JobFlowId"))
    if record["Status"]["State"] in TERMINATION_STATES:
        return refuse("ValidationException", "A job flow that is shutting down, terminated, or "
                      "finished may not be modified.")  # fmt: skip
    make = part("services.emr", "_make_step")
    steps = [make(step) for step in request.get("Steps", [])]
    part("services.emr", "_steps").setdefault(record["Id"], []).extend(steps)
    emr_life.steps_were_added(record, steps)
    return answer({"StepIds": [step["Id"] for step in steps]})


def enter(record: dict[str, Any], step: dict[str, Any], state: str) -> None:
    """Set a step's state and send its event."""
    step["Status"]["State"] = state
    if state in OVER:
        step["Status"]["Timeline"]["EndDateTime"] = time.time()
    emr_events.step_changed(record, step)


def cancel_steps(request: dict[str, Any]) -> Response:
    """Handle CancelSteps: a pending or running step is cancelled immediately."""
    record = cluster_record(request.get("ClusterId"))
    if record is None:
        return unknown_cluster(request.get("ClusterId"))
    said = []
    for step in steps_of(record["Id"]):
        if step["Id"] not in request.get("StepIds", []):
            continue
        if step["Status"]["State"] in OVER:
            reason = f"The step is {step['Status']['State']}."
            said.append({"StepId": step["Id"], "Status": "FAILED", "Reason": reason})
            continue
        enter(record, step, "CANCELLED")
        said.append({"StepId": step["Id"], "Status": "SUBMITTED"})
    return answer({"CancelStepsInfoList": said})


def add_tags(request: dict[str, Any]) -> Response:
    """Handle AddTags, and apply the tags that set a step's state."""
    response = original_add_tags(request)
    record = cluster_record(request.get("ResourceId"))
    if record is None or response[0] != HTTPStatus.OK:
        return response
    states = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", [])}
    for step in steps_of(record["Id"]):
        if state := states.get(f"{STATE}{step['Id']}"):
            enter(record, step, state)
    return response


def original_add_tags(request: dict[str, Any]) -> Response:
    """Handle AddTags as MiniStack does."""
    response: Response = part("services.emr", "_add_tags")(request)
    return response


def install() -> None:
    """Handle the actions on steps, and store the log settings of RunJobFlow's steps."""
    wrap("services.emr", "_make_step", lambda make: lambda request: correct(make(request), request))
    handle_emr("AddJobFlowSteps", add_job_flow_steps)
    handle_emr("ListSteps", list_steps)
    handle_emr("DescribeStep", describe_step)
    handle_emr("CancelSteps", cancel_steps)
    handle_emr("AddTags", add_tags)
