"""Acting: the one place where a decision becomes a message."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from emr_log_guard.domain.decide import (
    Action,
    Alert,
    CallOffEnforcement,
    RequestEnforcement,
    ScheduleEnforcement,
)
from emr_log_guard.usecases.ports import Alerts, EnforcementQueue, EnforcementSchedules


@dataclass(frozen=True, slots=True)
class Enforcers:
    """The ways to `enforce`: now, and at the end of the grace."""

    queue: EnforcementQueue
    schedules: EnforcementSchedules


@dataclass(frozen=True, slots=True)
class Act:
    """Performs actions. Errors fly: the whole check is tried again, and no alert is lost."""

    alerts: Alerts
    enforcers: Enforcers | None = None
    """None in a stack that may not terminate anything."""

    def __call__(self, actions: Iterable[Action]) -> None:
        """Perform actions in their order."""
        for action in actions:
            if isinstance(action, Alert):
                self.alerts.publish(action)
            elif self.enforcers is not None:
                _hand_on(action, self.enforcers)
            elif not isinstance(action, CallOffEnforcement):  # the stack's schedules went with it
                message = "enforcement was decided in a stack that does not allow it"
                raise AssertionError(message)


def _hand_on(
    action: RequestEnforcement | ScheduleEnforcement | CallOffEnforcement, to: Enforcers
) -> None:
    match action:
        case RequestEnforcement():
            to.queue.send(action)
        case ScheduleEnforcement():
            to.schedules.put(action)
        case CallOffEnforcement(cluster_arn=cluster_arn):
            to.schedules.delete(cluster_arn)
        case never:
            assert_never(never)
