"""One rate per API that all threads share: a given one, or full speed until AWS throttles.

Why not botocore's adaptive mode, with figures: docs/adr/0012-what-an-audit-costs.md
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Condition, Event, Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from emr_log_guard.adapters.errors import THROTTLING_CODES, RateLimitedError
from emr_log_guard.domain.emr_rates import Rate
from emr_log_guard.errors import AuditStoppedError

if TYPE_CHECKING:
    from botocore.client import BaseClient

_THROTTLING_CODES = THROTTLING_CODES | {
    "429",  # the response to a HeadObject has no body, so its code is the status alone
    "503",
}
GIVE_UP_AFTER_SECONDS = 120.0
"""A throttled call is no longer retried once its API has accepted nothing for this long."""
_UNLIMITED = Rate(math.inf)
_MIN_RATE = 0.2
"""The smallest refill rate among EMR's quotas, calls a second."""
_MIN_FIRST_RATE = 2.0
"""The rate after the first throttle, at least: it may have been the first call of all."""
_DECREASE = 0.7
"""The rate is multiplied by this when a call at that rate is throttled."""
_INCREASE_PER_SECOND = 1.05
"""The rate is multiplied by this for each second without a throttle."""

type Timer = Callable[[], float]
"""A monotonic clock, in seconds."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be called, and how long a call waits for it."""

    rate: Rate = _UNLIMITED
    patience: float = math.inf
    """How many seconds a call may wait for its turn before it fails; 0: it never waits."""
    give_up_after: float = GIVE_UP_AFTER_SECONDS
    """A throttled call is no longer retried once its API has accepted nothing for so many seconds;
    0: it is never retried."""


class RateLimiter:
    """One API's rate.

    A throttled call costs nothing of a quota, and what is not used stays in it up to its burst. So
    a rate that swings around the refill uses the quota up without having to know it.
    """

    def __init__(
        self,
        stopped: Event,
        limit: Limit = Limit(),
        timer: Timer = monotonic,
        condition: Condition | None = None,
    ) -> None:
        """Start at the highest rate, and with all of its burst."""
        self._limit = limit
        self._max_rate = limit.rate.per_second
        self._rate = self._max_rate
        self._timer = timer
        self._stopped = stopped
        self._condition = condition or Condition()
        self._next_call_at = -math.inf
        self._sent = 0
        self._started_at = self._rate_changed_at = timer()
        self._throttled_since: float | None = None

    def wait(self, operation: str = "") -> float:
        """Wait until this call may be sent; return that moment, for `throttled`.

        Raises:
            AuditStoppedError: The audit was stopped.
            RateLimitedError: It would have to wait for longer than the limit allows.

        """
        with self._condition:
            deadline = self._timer() + self._limit.patience
            while not self._stopped.is_set():
                now = self._timer()
                pause = self._next_call_at - now
                if pause <= 0:
                    # What was not called lately may be called at once, up to the burst.
                    saved = now - (self._limit.rate.burst - 1) / self._rate
                    self._next_call_at = max(self._next_call_at, saved) + 1 / self._rate
                    self._sent += 1
                    return now
                if self._next_call_at > deadline:
                    raise RateLimitedError(operation=operation)
                # Short waits, so that Ctrl-C is noticed and a higher rate applies at once.
                self._condition.wait(min(pause, 0.1))
        raise AuditStoppedError

    def accepted(self) -> None:
        """Record that AWS did not throttle a call: a rate that was lowered rises again."""
        with self._condition:
            now = self._timer()
            self._throttled_since = None
            if math.isfinite(self._rate):
                grown = self._rate * _INCREASE_PER_SECOND ** (now - self._rate_changed_at)
                self._rate = min(grown, self._max_rate)
                self._rate_changed_at = now

    def throttled(self, sent_at: float) -> bool:
        """Record that AWS throttled a call sent at that moment; return whether to retry it.

        A call that was sent before the rate was lowered does not lower it again.
        """
        with self._condition:
            now = self._timer()
            if math.isinf(self._rate):
                observed = self._sent / max(now - self._started_at, 1.0)
                self._rate = max(observed / 2, _MIN_FIRST_RATE)
                self._rate_changed_at = now
            elif sent_at >= self._rate_changed_at:
                self._rate = max(self._rate * _DECREASE, min(_MIN_RATE, self._max_rate))
                self._rate_changed_at = now
            self._next_call_at = max(self._next_call_at, now + 1 / self._rate)
            if self._throttled_since is None:
                self._throttled_since = now
            return now - self._throttled_since < self._limit.give_up_after


class RateLimiters:
    """The rate limiters of a client's APIs: no API waits for another."""

    def __init__(
        self,
        stopped: Event,
        others: Limit = Limit(),
        limits: Mapping[str, Limit] | None = None,
        timer: Timer = monotonic,
    ) -> None:
        """Limit the APIs of these names, and all others alike, until `stopped` is set."""
        self._limits = dict(limits or {})
        self._others = others
        self._stopped = stopped
        self._timer = timer
        self._lock = Lock()
        self._by_operation: dict[str, RateLimiter] = {}

    def _of(self, operation: str) -> RateLimiter:
        with self._lock:
            if operation not in self._by_operation:
                limit = self._limits.get(operation, self._others)
                self._by_operation[operation] = RateLimiter(self._stopped, limit, self._timer)
            return self._by_operation[operation]

    def attach(self, client: "BaseClient") -> None:
        """Limit a client's calls. The wait comes before the request is signed: signatures age."""

        def before_call(model: Any, params: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
            params["context"]["sent_at"] = self._of(model.name).wait(model.name)

        def needs_retry(
            response: tuple[Any, Mapping[str, Any]] | None,
            operation: Any,  # noqa: ANN401 - botocore's
            request_dict: Any,  # noqa: ANN401 - botocore's
            **_: object,
        ) -> float | bool | None:
            if response is None:
                return None
            limiter, context = self._of(operation.name), request_dict["context"]
            if str(response[1].get("Error", {}).get("Code")) not in _THROTTLING_CODES:
                limiter.accepted()
                return None
            if not limiter.throttled(context["sent_at"]):
                return False
            context["sent_at"] = limiter.wait(operation.name)
            return 0.0

        client.meta.events.register_last("before-call.*.*", before_call)
        # Seconds to wait before the call is sent again; False: it is not; None: botocore decides.
        respond: Callable[..., Any] = needs_retry
        client.meta.events.register_first("needs-retry.*.*", respond)
