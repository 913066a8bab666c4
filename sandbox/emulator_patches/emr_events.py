"""EMR sends events when clusters and steps change their state. Upstream: yes.

MiniStack sends none.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-manage-cloudwatch-events.html
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.emulator_patches.hooks import part

CLUSTER_STATES = ("STARTING", "RUNNING", "WAITING", "TERMINATED", "TERMINATED_WITH_ERRORS")
"""The cluster states for which EMR sends an event."""


def cluster_changed(record: Mapping[str, Any]) -> None:
    """Send the `EMR Cluster State Change` event of the cluster's current state, if it has one."""
    status = record["Status"]
    if status["State"] not in CLUSTER_STATES:
        return
    reason = status["StateChangeReason"]
    failed = status["State"] == "TERMINATED_WITH_ERRORS"
    _send(
        "EMR Cluster State Change",
        {
            "severity": "CRITICAL" if failed else "INFO",
            "stateChangeReason": json.dumps(
                {"code": reason.get("Code", "")}
                | ({"message": reason["Message"]} if reason.get("Message") else {})
            ),
            "name": record["Name"],
            "clusterId": record["Id"],
            "state": status["State"],
            "message": f"Amazon EMR Cluster {record['Id']} ({record['Name']}) "
            f"is {status['State']} at {_now()}.",
        },
    )


def step_changed(record: Mapping[str, Any], step: Mapping[str, Any]) -> None:
    """Send the `EMR Step Status Change` event of the step's current state."""
    state = step["Status"]["State"]
    _send(
        "EMR Step Status Change",
        {
            "severity": "ERROR" if state == "FAILED" else "INFO",
            "actionOnFailure": step["ActionOnFailure"],
            "stepId": step["Id"],
            "name": step["Name"],
            "clusterId": record["Id"],
            "state": state,
            "message": f"Step {step['Id']} ({step['Name']}) in Amazon EMR cluster {record['Id']} "
            f"({record['Name']}) is {state} at {_now()}.",
        },
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _send(detail_type: str, detail: Mapping[str, Any]) -> None:
    record = {
        "Source": "aws.emr",
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": [],
    }
    part("services.eventbridge", "_put_events")({"Entries": [record]}, allow_aws_source=True)
