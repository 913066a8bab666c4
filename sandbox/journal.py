"""What the functions wrote into CloudWatch Logs."""

import json
from typing import Any

from sandbox.running import DEFAULT_STACK, Sandbox


class Journal:
    """The structured logs of a stack's functions."""

    def __init__(self, account: Sandbox, stack: str = DEFAULT_STACK) -> None:
        self._logs = account.client("logs")
        self._cloudformation = account.client("cloudformation")
        self._stack = stack

    def entries(self, function: str, **wanted: object) -> list[dict[str, Any]]:
        """Give the entries of a function that have all of these fields.

        Args:
            function: The name of its folder, such as `check_cluster`.
            wanted: Fields of the entry and their values.

        """
        wanted["service"] = function
        resource = self._cloudformation.describe_stack_resource(
            StackName=self._stack, LogicalResourceId="FunctionLogs"
        )
        group = resource["StackResourceDetail"]["PhysicalResourceId"]
        entries = []
        for page in self._logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            for event in page["events"]:
                entry = _json(event["message"])
                if wanted.items() <= entry.items():
                    entries.append(entry)
        return entries


def _json(line: str) -> dict[str, Any]:
    """Read a line; those of the service itself are no JSON."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return {k: v for k, v in entry.items() if v.__hash__} if isinstance(entry, dict) else {}
