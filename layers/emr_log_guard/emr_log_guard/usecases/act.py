"""Acting: the one place where a decision becomes a message."""

from collections.abc import Iterable
from dataclasses import dataclass

from emr_log_guard.domain.decide import Action, Alert, RequestEnforcement
from emr_log_guard.usecases.ports import Alerts, EnforcementQueue


@dataclass(frozen=True, slots=True)
class Act:
    """Performs actions. Errors fly: the whole check is tried again, and no alert is lost."""

    alerts: Alerts
    queue: EnforcementQueue | None = None
    """None in a stack that may not terminate anything."""

    def __call__(self, actions: Iterable[Action]) -> None:
        """Perform actions in their order."""
        for action in actions:
            match action:
                case Alert():
                    self.alerts.publish(action)
                case RequestEnforcement() if self.queue is not None:
                    self.queue.send(action)
                case RequestEnforcement():
                    message = "enforcement was decided in a stack that does not allow it"
                    raise AssertionError(message)
