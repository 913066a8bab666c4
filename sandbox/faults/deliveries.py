"""Repeat and reorder deliveries of EventBridge and Scheduler, which are at-least-once on AWS.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.emulator_patches.emr_life import later
from sandbox.emulator_patches.hooks import wrap
from sandbox.faults.fault import DELIVERY, Fault

_repeating: list[Fault] = []


def repeat(faults: Sequence[Fault]) -> None:
    """Repeat deliveries from now on, as these faults specify."""
    _repeating[:] = [fault for fault in faults if fault.service == DELIVERY]


def install() -> None:
    """Check for each delivery whether a fault repeats it."""

    def repeatedly(invoke: Callable[..., None]) -> Callable[..., None]:
        def invoke_target(*delivery: Any, **more: Any) -> None:  # noqa: ANN401 - passed on
            for fault in _repeating:
                for _ in range(fault.times - 1):
                    delay = random.uniform(0, fault.within)  # noqa: S311 - no secret
                    later(delay, lambda: invoke(*delivery, **more))
            invoke(*delivery, **more)

        return invoke_target

    wrap("services.eventbridge", "_invoke_target", repeatedly)
