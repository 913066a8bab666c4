"""What a fault is, and which calls it applies to: pure, and shared with whoever injects it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Self

DELIVERY = "delivery"
"""The service of a fault that repeats what EventBridge and Scheduler deliver."""


class Crash(StrEnum):
    """When the function that makes a call is killed."""

    BEFORE = "before"
    """The service never gets the call."""
    AFTER = "after"
    """The service does what was asked, and nobody gets its answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with calls to a service."""

    service: str
    """The name that requests are signed for, such as `elasticmapreduce`; or DELIVERY."""
    operation: str = "*"
    """A pattern for the operation, such as `Put*`; where AWS names none in the request, for its
    method and path, such as `POST /schedules/*`."""
    share: float = 1.0
    """The share of the calls that is affected, from 0 to 1."""
    status: int | None = None
    """The HTTP status of the error that is answered instead; None answers as usual."""
    code: str = "ServiceUnavailable"
    """AWS's code of that error."""
    delay: float = 0.0
    """How many seconds the answer is held back; what was asked is done at once."""
    times: int = 1
    """How often what was asked is done."""
    within: float = 0.0
    """Over how many seconds repeated deliveries are spread, in random order."""
    crash: Crash | None = None

    def affects(self, service: str, operation: str) -> bool:
        """Say whether it applies to an operation, at least to a share of its calls."""
        return self.service == service and fnmatchcase(operation, self.operation)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        crash = document.get("crash")
        return cls(**{**document, "crash": Crash(crash) if crash else None})

    def as_json(self) -> dict[str, Any]:
        """Write it as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to a service, as far as it can be told from the outside of the request."""

    access_key: str
    service: str
    operation: str


def first_affecting(faults: Sequence[Fault], call: Call, chance: float) -> Fault | None:
    """Name the fault that a call meets, if any.

    Args:
        faults: The faults in force.
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
