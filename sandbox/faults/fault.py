"""What a fault is, and which calls it affects. Pure; shared with the client that injects it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Self

DELIVERY = "delivery"
"""The service of a fault that repeats deliveries of EventBridge and Scheduler."""


class Crash(StrEnum):
    """When the function that makes a call is killed."""

    BEFORE = "before"
    """The service never receives the call."""
    AFTER = "after"
    """The service executes the call, and the caller never receives the response."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in the calls to a service."""

    service: str
    """The service name in the request's signature, such as `elasticmapreduce`; or DELIVERY."""
    operation: str = "*"
    """A pattern for the operation, such as `Put*`; if the request names no operation, for its
    method and path, such as `POST /schedules/*`."""
    share: float = 1.0
    """The share of calls that are affected, from 0 to 1."""
    status: int | None = None
    """The HTTP status of the error to return; None returns the normal response."""
    code: str = "ServiceUnavailable"
    """The AWS error code."""
    delay: float = 0.0
    """The delay of the response in seconds; the call itself is executed immediately."""
    times: int = 1
    """How often the call is executed."""
    within: float = 0.0
    """The period in seconds over which repeated deliveries are spread, in random order."""
    crash: Crash | None = None

    def affects(self, service: str, operation: str) -> bool:
        """Whether the fault affects an operation, or at least a share of its calls."""
        return self.service == service and fnmatchcase(operation, self.operation)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Parse the output of `as_json`."""
        crash = document.get("crash")
        return cls(**{**document, "crash": Crash(crash) if crash else None})

    def as_json(self) -> dict[str, Any]:
        """Return the fault as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to a service, as far as the HTTP request shows it."""

    access_key: str
    service: str
    operation: str


def first_affecting(faults: Sequence[Fault], call: Call, chance: float) -> Fault | None:
    """Return the first fault that affects a call, if any.

    Args:
        faults: The active faults.
        call: The call.
        chance: A random number from 0 to 1.
    """
    return next(
        (
            fault
            for fault in faults
            if fault.affects(call.service, call.operation) and chance < fault.share
        ),
        None,
    )
