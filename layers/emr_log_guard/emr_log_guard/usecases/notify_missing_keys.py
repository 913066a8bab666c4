"""Approved keys that do not exist: people are notified, once an entry of the policy."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.policy_problem import PolicyProblem
from emr_log_guard.usecases.ports import PolicyAlerts, PolicyHistory

_ASK_AGAIN = timedelta(hours=1)
"""How long an environment does not ask again whether people were notified of a key."""


class NotifyMissingKeys:
    """Notifies of approved keys that KMS does not know: a policy that is in force lists them."""

    def __init__(
        self,
        parameter: str,
        history: PolicyHistory,
        alerts: PolicyAlerts,
        clock: Callable[[], datetime],
    ) -> None:
        """Notify of the policy in this parameter."""
        self._parameter = parameter
        self._history = history
        self._alerts = alerts
        self._clock = clock
        self._asked: dict[str, datetime] = {}

    def __call__(self, policy: Policy, missing: Mapping[str, str]) -> None:
        """Notify of each entry that nobody was notified of within a day.

        Where the policy is suspended people know of a graver problem, and its list may be another.

        Args:
            policy: The policy in force.
            missing: The problem, by the key's identifier as the policy lists it.

        """
        if policy.suspended:
            return
        now = self._clock()
        for identifier, problem in missing.items():
            asked = self._asked.get(identifier)
            if asked is not None and now - asked < _ASK_AGAIN:
                continue
            with self._history.once("does not exist", f"key#{identifier}") as first:
                if first:
                    self._alerts.policy_invalid(
                        PolicyProblem(self._parameter, policy.version, (problem,), in_force=True)
                    )
            self._asked[identifier] = now
