"""The input of the re-scan's tasks.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from emr_log_guard.domain.rescan import Rescan, Scope, Shard
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.emr import ClusterId
from emr_log_guard.events.parsing import convert


class RescanInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The input of the state machine; all fields are optional."""

    scope: Scope = Scope.ALL
    deep: bool = False
    reencrypt: bool = False
    dry_run: bool = False
    cluster: ClusterId | None = None


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
    """An error that Step Functions caught."""

    error: str
    cause: str = ""

    @property
    def summary(self) -> str:
        """The error in one line: a function's cause is JSON."""
        try:
            message = msgspec.json.decode(self.cause)["errorMessage"]
        except (msgspec.DecodeError, TypeError, KeyError):
            message = self.cause
        return f"{self.error}: {message}" if message else self.error


class FinishEvent(msgspec.Struct, frozen=True):
    """The last task's event."""

    rescan: Rescan


@dataclass(frozen=True, slots=True)
class RescanRequest:
    """A request for a re-scan."""

    execution: str
    """Its ARN."""
    scope: Scope = Scope.ALL
    deep: bool = False
    reencrypt: bool = False
    """Whether log objects are to be re-encrypted as the policy says."""
    cluster: str | None = None
    """The only cluster to cover; None: all."""
    dry_run: bool = False
    """Whether they are to be counted only."""


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard to scan, or one that failed."""

    rescan: Rescan
    shard: Shard
    after: str = ""
    """Where the rest of it starts; empty: at its start."""
    failed: str | None = None
    """Its error, to be recorded; None when it is to be scanned."""


def parse_plan(event: Any) -> RescanRequest:  # noqa: ANN401 - any JSON may arrive
    """Parse a request for a re-scan.

    Raises:
        InvalidEventError: The input is not the re-scan's; the message names the field.

    """
    plan = convert(event, PlanEvent)
    asked = plan.input
    if (asked.reencrypt or asked.cluster) and asked.scope is not Scope.LOG_OBJECTS:
        message = "reencrypt and cluster take the scope log_objects"
        raise InvalidEventError(message)
    if asked.dry_run and not asked.reencrypt:
        message = "dry_run takes reencrypt"
        raise InvalidEventError(message)
    return RescanRequest(
        plan.execution, asked.scope, asked.deep, asked.reencrypt, asked.cluster, asked.dry_run
    )


def parse_shard(event: Any) -> ShardTask:  # noqa: ANN401
    """Parse a shard's task.

    Raises:
        InvalidEventError: It is not one; the message names the field.

    """
    scan = convert(event, ScanEvent)
    failed = scan.failure.summary if scan.failure else None
    return ShardTask(scan.rescan, scan.shard, scan.after, failed)


def parse_finish(event: Any) -> Rescan:  # noqa: ANN401
    """Parse which run is to be finished.

    Raises:
        InvalidEventError: It is not a run; the message names the field.

    """
    return convert(event, FinishEvent).rescan
