"""The policy that holds now: the stored one, or the last valid one while that is wrong."""

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from emr_log_guard.domain.policy import Policy, PolicyProblem
from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.observability import record_policy_problem
from emr_log_guard.policy_document import STRICT, parse_policy
from emr_log_guard.usecases.ports import (
    PolicyAlerts,
    PolicyHistory,
    PolicyParameter,
    StoredPolicy,
    UnreadablePolicy,
)

STALE_SECONDS = 60
"""How old a policy may be that is acted on."""
REFRESH_SECONDS = 30
"""How old it may be before it is read again: SSM may then fail for a while unnoticed."""


type Timer = Callable[[], float]


class CurrentPolicy:
    """Gives the policy in force, and notifies people, once a problem, when there is none.

    While the stored policy is invalid or cannot be read, the last valid one is used to evaluate and
    to alert, and is `suspended`: nothing is decided about terminations. Where there never was a
    valid one, the strict defaults hold: everything is evaluated and alerted.
    """

    def __init__(  # noqa: PLR0913 - where it is, where it was, and how long it may be remembered
        self,
        parameter: PolicyParameter,
        history: PolicyHistory | None,
        alerts: PolicyAlerts | None,
        *,
        allowed: bool,
        remember: bool = True,
        timer: Timer = monotonic,
    ) -> None:
        """Read from this parameter.

        Args:
            parameter: Where the document is.
            history: Where the last valid document is kept; None where only the stored one counts.
            alerts: Who is notified when it is wrong; None where others do that.
            allowed: Whether the stack may terminate at all.
            remember: Whether a policy read a moment ago will do; `enforce` always reads it.
            timer: Seconds that only ever grow.

        """
        self._parameter = parameter
        self._history = history
        self._alerts = alerts
        self._allowed = allowed
        self._remember = remember
        self._timer = timer
        self._last: tuple[float, Policy] | None = None
        self._kept: StoredPolicy | None = None
        """The document that this environment last kept, or found kept, as the last valid one."""

    def __call__(self, *, force_refresh: bool = False) -> Policy:
        """Give the policy in force, at most STALE_SECONDS old.

        Args:
            force_refresh: Whether to read it even so: it may be what somebody just changed.

        """
        now = self._timer()
        last = self._last
        if not force_refresh and last is not None and now - last[0] < REFRESH_SECONDS:
            return last[1]
        stored = self._parameter.read()
        match stored:
            case StoredPolicy():
                policy = self._parse(stored)
                if self._remember and not policy.suspended:
                    self._last = (now, policy)
                return policy
            case UnreadablePolicy(transient=True) if (
                last is not None and now - last[0] < STALE_SECONDS
            ):
                return last[1]
            case UnreadablePolicy(reason=reason):
                return self._last_valid(PolicyProblem(self._parameter.name, None, (reason,)))

    def _parse(self, stored: StoredPolicy) -> Policy:
        try:
            policy = self._policy(stored)
        except InvalidPolicyError as error:
            problem = PolicyProblem(self._parameter.name, stored.version, error.problems)
            return self._last_valid(problem)
        if self._history is not None and self._kept != stored:
            self._history.keep(stored)
            self._kept = stored
        return policy

    def _policy(self, stored: StoredPolicy) -> Policy:
        policy = parse_policy(stored.text, allowed=self._allowed)
        return replace(policy, version=stored.version, stored_at=stored.stored_at)

    def _last_valid(self, problem: PolicyProblem) -> Policy:
        """Give the last valid policy, suspended, and notify of the problem."""
        record_policy_problem(problem.parameter, problem.version, problem.problems)
        kept = self._history.last_valid() if self._history is not None else None
        policy = STRICT
        if kept is not None:
            try:
                policy = self._policy(kept)
            except InvalidPolicyError:  # a field or rule that this release no longer has
                kept = None
        if self._alerts is not None:
            self._notify(self._alerts, problem, kept)
        return replace(policy, suspended=True)

    def _notify(
        self, alerts: PolicyAlerts, problem: PolicyProblem, kept: StoredPolicy | None
    ) -> None:
        """Notify of a problem that nobody was notified of since the policy was last valid."""
        held = kept.version if kept is not None else None
        stored = "unreadable" if problem.version is None else f"version {problem.version}"
        if self._history is None:
            alerts.policy_invalid(problem)
            return
        with self._history.once(f"{stored} after version {held}") as first:
            if first:
                alerts.policy_invalid(problem)
