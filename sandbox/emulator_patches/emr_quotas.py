"""EMR throttles its API per action and per account. Upstream: as an option.

MiniStack answers any number of calls. This patch is installed only if the account is started with
EMR's quotas; they are AWS's defaults.

https://docs.aws.amazon.com/general/latest/gr/emr.html
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.emulator_patches.hooks import (
    Response,
    account_and_region,
    handle_emr,
    original_emr,
    refuse,
)
from sandbox.settings import EMR_QUOTAS

ACTIONS = {
    "DescribeCluster": (10, 1.0),
    "ListClusters": (20, 0.5),
    "ListSteps": (10, 0.5),
    "SetTerminationProtection": (5, 0.2),
    "TerminateJobFlows": (10, 0.5),
}
"""The burst, and the refill rate per second."""
ACCOUNT = (25, 5.0)


@dataclass
class Bucket:
    """A token bucket of API calls."""

    burst: float
    refill: float
    left: float = field(init=False)
    filled: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Start with a full bucket."""
        self.left = self.burst

    def has_one(self) -> bool:
        """Whether a call is allowed now."""
        now = time.monotonic()
        self.left = min(self.burst, self.left + (now - self.filled) * self.refill)
        self.filled = now
        return self.left >= 1


def install() -> None:
    """Throttle calls above the quotas; a throttled call uses up no token."""
    if not os.environ.get(EMR_QUOTAS):
        return
    buckets: dict[tuple[str, str, str], Bucket] = {}

    def throttled(
        action: str, quota: tuple[float, float], answer: Callable[[dict[str, Any]], Response]
    ) -> Callable[[dict[str, Any]], Response]:
        def handle(request: dict[str, Any]) -> Response:
            place = account_and_region()
            asked = [
                buckets.setdefault((*place, action), Bucket(*quota)),
                buckets.setdefault((*place, ""), Bucket(*ACCOUNT)),
            ]
            if not all(bucket.has_one() for bucket in asked):
                return refuse("ThrottlingException", "Rate exceeded")
            for bucket in asked:
                bucket.left -= 1
            return answer(request)

        return handle

    for action, quota in ACTIONS.items():
        handle_emr(action, throttled(action, quota, original_emr(action)))
