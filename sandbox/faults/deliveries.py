"""EventBridge and Scheduler deliver at least once, and in any order: here, on request, they do.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.corrections.emr_life import later
from sandbox.corrections.hooks import wrap
from sandbox.faults.fault import DELIVERY, Fault

_repeating: list[Fault] = []


def repeat(faults: Sequence[Fault]) -> None:
    """Repeat what is delivered from now on as the faults say."""
    _repeating[:] = [fault for fault in faults if fault.service == DELIVERY]


def install() -> None:
    """Have every delivery ask whether it is to be repeated."""

    def repeatedly(invoke: Callable[..., None]) -> Callable[..., None]:
        def invoke_target(*delivery: Any, **more: Any) -> None:  # noqa: ANN401 - passed on
            for fault in _repeating:
                for _ in range(fault.times - 1):
                    delay = random.uniform(0, fault.within)  # noqa: S311 - no secret
                    later(delay, lambda: invoke(*delivery, **more))
            invoke(*delivery, **more)

        return invoke_target

    wrap("services.eventbridge", "_invoke_target", repeatedly)
