"""SSM sends `Parameter Store Change` events, also for stacks' parameters. Upstream: yes.

MiniStack sends none. The events contain the operation, never the value. And the history of a
parameter names who stored each version, where MiniStack names the account's root user.

https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html#SSM-Parameter-Store-event-types
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from sandbox.emulator_patches.hooks import Response, part, wrap

type Handler = Callable[[dict[str, Any]], Response]


def send(operation: str, parameter: Mapping[str, Any]) -> None:
    """Send the event of one operation: Create, Update or Delete."""
    detail = {
        "operation": operation,
        "name": parameter["Name"],
        "type": parameter["Type"],
        "description": parameter["Description"],
    }
    record = {
        "Source": "aws.ssm",
        "DetailType": "Parameter Store Change",
        "Detail": json.dumps(detail),
        "Resources": [parameter["ARN"]],
    }
    part("services.eventbridge", "_put_events")({"Entries": [record]}, allow_aws_source=True)


def found(name: str) -> Mapping[str, Any] | None:
    """The parameter's record, or None."""
    _, record = part("services.ssm", "_lookup_parameter")(name)
    parameter: Mapping[str, Any] | None = record
    return parameter


def with_put_events(put: Handler) -> Handler:
    """Send Create or Update after each successful PutParameter."""

    def put_parameter(request: dict[str, Any]) -> Response:
        known = found(request.get("Name", "")) is not None
        response = put(request)
        parameter = found(request.get("Name", ""))
        if response[0] == HTTPStatus.OK and parameter is not None:
            stored = part("services.ssm", "_parameter_history")[parameter["Name"]][-1]
            stored["LastModifiedUser"] = part("core.iam_evaluator", "caller_arn")()
            send("Update" if known else "Create", parameter)
        return response

    return put_parameter


def with_delete_events(delete: Handler) -> Handler:
    """Send Delete for each parameter that a call deleted."""

    def delete_parameters(request: dict[str, Any]) -> Response:
        names = request.get("Names") or [request.get("Name", "")]
        before = [parameter for name in names if (parameter := found(name)) is not None]
        response = delete(request)
        for parameter in before:
            if found(parameter["Name"]) is None:
                send("Delete", parameter)
        return response

    return delete_parameters


def install() -> None:
    """Send an event for every change."""
    wrap("services.ssm", "_put_parameter", with_put_events)
    wrap("services.ssm", "_delete_parameter", with_delete_events)
    wrap("services.ssm", "_delete_parameters", with_delete_events)
