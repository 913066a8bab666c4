"""The policy in effect, and its changes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic

from emr_log_guard.domain.notification_plan import alert_id
from emr_log_guard.domain.policy import Policy, PolicyChange, PolicyProblem
from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.observability import record_policy_problem
from emr_log_guard.policy_document import STRICT, difference, parse_policy
from emr_log_guard.usecases.ports import (
    PolicyAlerts,
    PolicyChangeAlerts,
    PolicyHistory,
    PolicyParameter,
    PolicyVersions,
    StoredPolicy,
    UnreadablePolicy,
)

STALE_SECONDS = 60
"""The maximum age of a policy that is acted on."""
REFRESH_SECONDS = 30
"""The age at which it is re-read: errors of SSM are tolerated until STALE_SECONDS."""
_REPORTED = timedelta(seconds=1)
"""Events have whole seconds."""

type Timer = Callable[[], float]


@dataclass(frozen=True, slots=True)
class NotifyPolicyChange:
    """Notifies who changed the stored policy, and what."""

    parameter: PolicyVersions
    alerts: PolicyChangeAlerts

    def __call__(self, at: datetime | None) -> None:
        """Notify of the version that was stored last at a moment.

        Nothing is sent where its document is the same as the former one's. The same change always
        has the same id: an event may come twice.

        Args:
            at: When Parameter Store reported the change, UTC, to the second; None: now.

        """
        name = self.parameter.name
        kept = [
            each
            for each in self.parameter.versions()
            if at is None or each.stored_at is None or each.stored_at < at + _REPORTED
        ]
        if not kept:
            moment = at.isoformat() if at else ""
            self.alerts.policy_changed(
                PolicyChange(
                    id=alert_id(name, "deleted", moment),
                    parameter=name,
                    version=None,
                    changed_at=at,
                    changed_by=None,
                    changes=(),
                )
            )
            return
        new, old = kept[-1], kept[-2].text if len(kept) > 1 else ""
        changes = difference(old, new.text)
        if changes:
            self.alerts.policy_changed(
                PolicyChange(
                    id=alert_id(name, str(new.version), str(new.stored_at)),
                    parameter=name,
                    version=new.version,
                    changed_at=new.stored_at,
                    changed_by=new.stored_by,
                    changes=changes,
                )
            )


class CurrentPolicy:
    """Returns the policy in effect, and notifies once of each problem of the stored one.

    While the stored policy is invalid or cannot be read, the last valid one is used to evaluate and
    to alert, and is `suspended`: no termination is decided. If there never was a valid one, the
    strict defaults apply: everything is evaluated and alerted.
    """

    def __init__(  # noqa: PLR0913 - its sources and settings
        self,
        parameter: PolicyParameter,
        history: PolicyHistory | None,
        alerts: PolicyAlerts | None,
        clock: Callable[[], datetime],
        *,
        allowed: bool,
        reencryption_allowed: bool = False,
        cached: bool = True,
        timer: Timer = monotonic,
    ) -> None:
        """Read from this parameter.

        Args:
            parameter: Where the document is.
            history: Where the last valid document is kept; None when only the stored one is used.
            alerts: Where problems are notified; None when other functions do that.
            clock: Returns the present moment, UTC.
            allowed: Whether the stack may terminate clusters.
            reencryption_allowed: Whether the stack may re-encrypt log objects.
            cached: Whether the policy is cached; `enforce` always reads it.
            timer: A monotonic clock, in seconds.

        """
        self._parameter = parameter
        self._history = history
        self._alerts = alerts
        self._clock = clock
        self._allowed = allowed
        self._reencryption_allowed = reencryption_allowed
        self._cached = cached
        self._timer = timer
        self._last: tuple[float, Policy] | None = None
        self._kept: StoredPolicy | None = None
        """The last valid document that this environment stored."""

    def __call__(self, *, force_refresh: bool = False) -> Policy:
        """Return the policy in effect, at most STALE_SECONDS old.

        Args:
            force_refresh: Whether to bypass the cache: the policy may have just changed.

        """
        now = self._timer()
        last = self._last
        if not force_refresh and last is not None and now - last[0] < REFRESH_SECONDS:
            return last[1]
        stored = self._parameter.read()
        match stored:
            case StoredPolicy():
                policy = self._parse(stored)
                if self._cached and not policy.suspended:
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
        policy = parse_policy(
            stored.text,
            self._clock().date(),
            allowed=self._allowed,
            reencryption_allowed=self._reencryption_allowed,
        )
        return replace(policy, version=stored.version, stored_at=stored.stored_at)

    def _last_valid(self, problem: PolicyProblem) -> Policy:
        """Return the last valid policy, suspended, and notify of the problem."""
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
        """Notify of a problem, once since the policy was last valid."""
        held = kept.version if kept is not None else None
        stored = "unreadable" if problem.version is None else f"version {problem.version}"
        if self._history is None:
            alerts.policy_invalid(problem)
            return
        with self._history.once(f"{stored} after version {held}") as first:
            if first:
                alerts.policy_invalid(problem)
