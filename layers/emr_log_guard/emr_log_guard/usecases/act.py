"""Acting: the one place where a decision becomes a message."""

from dataclasses import dataclass
from typing import assert_never

from emr_log_guard.domain.decide import (
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

    def publish(self, alert: Alert) -> None:
        """Publish an alert. When this returns, its notification was accepted."""
        self.alerts.publish(alert)

    def hand_on(
        self, action: RequestEnforcement | ScheduleEnforcement | CallOffEnforcement
    ) -> None:
        """Hand a cluster on to `enforce`, now or later, or cancel that."""
        if self.enforcers is None:
            if isinstance(action, CallOffEnforcement):
                return  # the stack's schedules went with the permission
            message = "enforcement was decided in a stack that does not allow it"
            raise AssertionError(message)
        match action:
            case RequestEnforcement():
                self.enforcers.queue.send(action)
            case ScheduleEnforcement():
                self.enforcers.schedules.put(action)
            case CallOffEnforcement(cluster_arn=cluster_arn):
                self.enforcers.schedules.delete(cluster_arn)
            case never:
                assert_never(never)
