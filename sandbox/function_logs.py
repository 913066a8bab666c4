"""Reads what the functions logged to CloudWatch Logs."""

import json
import re
from typing import Any

from sandbox.running import DEFAULT_STACK, Sandbox


class FunctionLogs:
    """The structured logs of a stack's functions."""

    def __init__(self, account: Sandbox, stack: str = DEFAULT_STACK) -> None:
        self._logs = account.client("logs")
        self._cloudformation = account.client("cloudformation")
        self._stack = stack

    def records(self, function: str, **wanted: object) -> list[dict[str, Any]]:
        """Return the log entries of a function that contain all of these fields.

        Args:
            function: The name of its folder, such as `check_cluster`.
            wanted: Field names and their expected values.
        """
        wanted["service"] = function
        resource = self._cloudformation.describe_stack_resource(
            StackName=self._stack, LogicalResourceId="FunctionLogs"
        )
        group = resource["StackResourceDetail"]["PhysicalResourceId"]
        records = []
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=_pattern(wanted)
        )
        for page in pages:
            for event in page["events"]:
                record = _json(event["message"])
                if wanted.items() <= record.items():
                    records.append(record)
        return records


def _pattern(wanted: dict[str, object]) -> str:
    """Write the pattern of lines that hold each plain word of the expected values.

    All functions log to one group, of which the emulator returns 10,000 events at most, without a
    token for the next ones.
    """
    words = (word for value in wanted.values() if isinstance(value, str) for word in value.split())
    return " ".join(f'"{word}"' for word in words if re.fullmatch(r"[\w:/.-]+", word))


def _json(line: str) -> dict[str, Any]:
    """Parse a line; lines of the Lambda service itself are not JSON."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return {k: v for k, v in record.items() if v.__hash__} if isinstance(record, dict) else {}
