"""The policy that holds now: read from its parameter, or the strict defaults when that is wrong."""

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.policy_problem import PolicyProblem
from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.observability import record_policy_problem
from emr_log_guard.policy_document import STRICT, parse_policy
from emr_log_guard.usecases.ports import (
    PolicyAlerts,
    PolicyParameter,
    StoredPolicy,
)

STALE_SECONDS = 60
"""How old a policy may be that is acted on."""
REFRESH_SECONDS = 30
"""How old it may be before it is read again: SSM may then fail for a while unnoticed."""


type Timer = Callable[[], float]


class CurrentPolicy:
    """Gives the policy in force, and tells people, once an environment, when there is none.

    While the stored policy is invalid or cannot be read, the strict defaults hold: everything is
    judged and told, and nothing is terminated.
    """

    def __init__(
        self,
        parameter: PolicyParameter,
        alerts: PolicyAlerts | None,
        *,
        allowed: bool,
        remember: bool = True,
        timer: Timer = monotonic,
    ) -> None:
        """Read from this parameter.

        Args:
            parameter: Where the document is.
            alerts: Who is told when it is wrong; None where others tell.
            allowed: Whether the stack may terminate at all.
            remember: Whether a policy read a moment ago will do; `enforce` always reads it.
            timer: Seconds that only ever grow.

        """
        self._parameter = parameter
        self._alerts = alerts
        self._allowed = allowed
        self._remember = remember
        self._timer = timer
        self._last: tuple[float, Policy] | None = None
        self._told: set[str] = set()

    def __call__(self, *, afresh: bool = False) -> Policy:
        """Give the policy in force, at most STALE_SECONDS old.

        Args:
            afresh: Whether to read it even so: it may be what somebody just changed.

        """
        now = self._timer()
        last = self._last
        if not afresh and last is not None and now - last[0] < REFRESH_SECONDS:
            return last[1]
        stored = self._parameter.read()
        if isinstance(stored, StoredPolicy):
            policy = self._parse(stored)
            if self._remember:
                self._last = (now, policy)
            return policy
        if stored.transient and last is not None and now - last[0] < STALE_SECONDS:
            return last[1]
        self._tell("unreadable", PolicyProblem(self._parameter.name, None, (stored.reason,)))
        return STRICT

    def _parse(self, stored: StoredPolicy) -> Policy:
        try:
            policy = parse_policy(stored.text, allowed=self._allowed)
        except InvalidPolicyError as error:
            problem = PolicyProblem(self._parameter.name, stored.version, error.problems)
            self._tell(f"version {stored.version}", problem)
            return STRICT
        return replace(policy, version=stored.version)

    def _tell(self, once: str, problem: PolicyProblem) -> None:
        record_policy_problem(problem.parameter, problem.version, problem.problems)
        if self._alerts is not None and once not in self._told:
            self._alerts.policy_invalid(problem)
            self._told.add(once)
