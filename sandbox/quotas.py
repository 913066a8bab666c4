"""EMR's API quotas: the defaults, and the text of `--emr-quotas` that sets others."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.errors import SandboxError


@dataclass(frozen=True, slots=True)
class Quota:
    """A token bucket: so many calls at once, and so many a second after that."""

    burst: float
    rate: float

    def seconds(self, calls: float) -> float:
        """The time that so many calls take at least, starting with a full bucket."""
        return max(0.0, (calls - self.burst) / self.rate)


ALL_ACTIONS = "AllActions"
"""The bucket that every throttled action takes from, beside its own."""
ALL_ACTIONS_QUOTA = Quota(25, 5)
DEFAULT_QUOTAS: Mapping[str, Quota] = {
    "DescribeCluster": Quota(10, 1),
    "DescribeStep": Quota(10, 0.5),
    "ListClusters": Quota(20, 0.5),
    "ListSessions": ALL_ACTIONS_QUOTA,
    "ListSteps": Quota(10, 0.5),
    "SetTerminationProtection": Quota(5, 0.2),
    "TerminateJobFlows": Quota(10, 0.5),
    ALL_ACTIONS: ALL_ACTIONS_QUOTA,
}
"""The actions that the guard calls, with AWS's defaults. ListSessions has no quota of its own.

https://docs.aws.amazon.com/general/latest/gr/emr.html
"""
DEFAULT = "default"
"""The text that stands for the defaults."""


def parse_quotas(text: str) -> dict[str, Quota]:
    """Read `DescribeCluster=10/1,ListSteps=10/0.5`: burst and rate of single actions.

    Returns:
        The quotas of all actions: those that the text does not name have the default.

    Raises:
        SandboxError: the text names an unknown action or one twice, or is no burst and rate.
    """
    if text == DEFAULT:
        return dict(DEFAULT_QUOTAS)
    given: dict[str, Quota] = {}
    for part in text.split(","):
        action, _, numbers = part.strip().partition("=")
        if action not in DEFAULT_QUOTAS:
            message = f"unknown action {action!r}; choose from {', '.join(DEFAULT_QUOTAS)}"
            raise SandboxError(_of(text, message))
        if action in given:
            raise SandboxError(_of(text, f"{action} is given twice: keep one of them"))
        given[action] = _quota(text, action, numbers)
    return {**DEFAULT_QUOTAS, **given}


def quotas_text(quotas: Mapping[str, Quota]) -> str:
    """Write quotas as `parse_quotas` reads them."""
    return ",".join(f"{action}={each.burst:g}/{each.rate:g}" for action, each in quotas.items())


def _quota(text: str, action: str, numbers: str) -> Quota:
    burst_text, _, rate_text = numbers.partition("/")
    form = f"write {action}=BURST/RATE, for example {action}=10/0.5"
    try:
        burst, rate = float(burst_text), float(rate_text)
    except ValueError as error:
        message = f"{numbers!r} is no quota of {action}: {form}"
        raise SandboxError(_of(text, message)) from error
    if not 1 <= burst < math.inf:
        message = f"the burst of {action} is {burst:g}, but must be at least 1 call: {form}"
        raise SandboxError(_of(text, message))
    if not 0 < rate < math.inf:
        message = f"the rate of {action} is {rate:g}, but must be above 0 calls a second: {form}"
        raise SandboxError(_of(text, message))
    return Quota(burst, rate)


def _of(text: str, message: str) -> str:
    return f"--emr-quotas {text}: {message}"
