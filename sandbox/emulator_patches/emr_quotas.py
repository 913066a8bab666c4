"""EMR throttles its API per action and per account. Upstream: as an option.

MiniStack answers any number of calls. This patch is installed only if the account is started with
quotas, see `sandbox.quotas`.

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
from sandbox.quotas import ALL_ACTIONS, Quota, parse_quotas
from sandbox.settings import EMR_QUOTAS


@dataclass
class Bucket:
    """A token bucket of API calls."""

    quota: Quota
    left: float = field(init=False)
    filled: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Start with a full bucket."""
        self.left = self.quota.burst

    def has_one(self) -> bool:
        """Whether a call is allowed now."""
        now = time.monotonic()
        refilled = self.left + (now - self.filled) * self.quota.rate
        self.left = min(self.quota.burst, refilled)
        self.filled = now
        return self.left >= 1


def install() -> None:
    """Throttle calls above the quotas; a throttled call uses up no token."""
    if not (text := os.environ.get(EMR_QUOTAS)):
        return
    quotas = parse_quotas(text)
    buckets: dict[tuple[str, str, str], Bucket] = {}

    def throttled(
        action: str, answer: Callable[[dict[str, Any]], Response]
    ) -> Callable[[dict[str, Any]], Response]:
        def handle(request: dict[str, Any]) -> Response:
            place = account_and_region()
            asked = [
                buckets.setdefault((*place, name), Bucket(quotas[name]))
                for name in (action, ALL_ACTIONS)
            ]
            if not all(bucket.has_one() for bucket in asked):
                return refuse("ThrottlingException", "Rate exceeded")
            for bucket in asked:
                bucket.left -= 1
            return answer(request)

        return handle

    for action in quotas:
        if action != ALL_ACTIONS:
            handle_emr(action, throttled(action, original_emr(action)))
