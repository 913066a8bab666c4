"""What the re-scan's state machine hands to its tasks.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from emr_log_guard.domain.rescan import Rescan, Scope, Shard
from emr_log_guard.events.parsing import convert


class RescanInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody starts the state machine with; all of it may be left out."""

    scope: Scope = Scope.ALL
    deep: bool = False


class PlanEvent(msgspec.Struct, frozen=True):
    """The first task's event."""

    execution: str
    input: RescanInput


class ScanEvent(msgspec.Struct, frozen=True):
    """The event of a shard's task."""

    rescan: Rescan
    shard: Shard
    after: str = ""
    failure: "Failure | None" = None


class Failure(msgspec.Struct, frozen=True, rename="pascal"):
    """What Step Functions caught."""

    error: str
    cause: str = ""

    @property
    def notified(self) -> str:
        """Say it in a line: a function's error is JSON."""
        try:
            said = msgspec.json.decode(self.cause)["errorMessage"]
        except (msgspec.DecodeError, TypeError, KeyError):
            said = self.cause
        return f"{self.error}: {said}" if said else self.error


class FinishEvent(msgspec.Struct, frozen=True):
    """The last task's event."""

    rescan: Rescan


@dataclass(frozen=True, slots=True)
class RescanRequest:
    """Which execution asks for what."""

    execution: str
    """Its ARN."""
    scope: Scope = Scope.ALL
    deep: bool = False


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard to look at, or one that could not be looked at."""

    rescan: Rescan
    shard: Shard
    after: str = ""
    """Where the rest of it begins; empty is its beginning."""
    failed: str | None = None
    """What it failed with, to be written down; None when it is to be looked at."""


def parse_plan(event: Any) -> RescanRequest:  # noqa: ANN401 - any JSON may arrive
    """Read which execution asks for what.

    Raises:
        InvalidEventError: The input is not the re-scan's; the message names the field.

    """
    plan = convert(event, PlanEvent)
    return RescanRequest(plan.execution, plan.input.scope, plan.input.deep)


def parse_shard(event: Any) -> ShardTask:  # noqa: ANN401
    """Read a shard's task.

    Raises:
        InvalidEventError: It is none; the message names the field.

    """
    scan = convert(event, ScanEvent)
    failed = scan.failure.notified if scan.failure else None
    return ShardTask(scan.rescan, scan.shard, scan.after, failed)


def parse_finish(event: Any) -> Rescan:  # noqa: ANN401
    """Read which run is at its end.

    Raises:
        InvalidEventError: It says nothing of one; the message names the field.

    """
    return convert(event, FinishEvent).rescan
