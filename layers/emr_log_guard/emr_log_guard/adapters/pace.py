"""Full speed until AWS throttles; from then on, one rate per API that all threads share.

Why not botocore's adaptive mode, with figures: docs/adr/0013-what-an-audit-costs.md
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from threading import Condition, Event
from time import monotonic
from typing import TYPE_CHECKING, Any

from emr_log_guard.errors import AuditStoppedError

if TYPE_CHECKING:
    from botocore.client import BaseClient

THROTTLED = frozenset(
    {
        "429",  # a HeadObject has no body, so its code is the status alone
        "503",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
PATIENCE_SECONDS = 120.0
"""How long an API may refuse every call before a call is given up."""
_SLOWEST = 0.2
"""The smallest refill among EMR's quotas, calls a second."""
_FIRST_GUESS = 2.0
"""The rate after the first throttle, at least: it may have been the first call of all."""
_LESS = 0.7
"""What is left of the rate after a throttle at that rate."""
_MORE = 1.05
"""How the rate grows in a second: a bucket that is not drained fills up, and is used up later."""

type Timer = Callable[[], float]
"""Seconds that only ever grow."""


class Pace:
    """One API's rate.

    A refused call costs nothing of a quota, and what is not taken stays in it up to its burst. So
    a rate that swings around the refill uses the quota up without having to know it.
    """

    def __init__(
        self,
        stopped: Event,
        max_rate: float = math.inf,
        timer: Timer = monotonic,
        turn: Condition | None = None,
    ) -> None:
        """Begin at the highest rate, calls a second."""
        self._max_rate = max_rate
        self._rate = max_rate
        self._timer = timer
        self._stopped = stopped
        self._turn = turn or Condition()
        self._next = -math.inf
        self._sent = 0
        self._begun = self._changed = self._accepted = timer()

    def wait(self) -> float:
        """Wait for this call's turn; return the moment of it, to be told when AWS answered.

        Raises:
            AuditStoppedError: Nobody wants the answer any more.

        """
        with self._turn:
            while not self._stopped.is_set():
                now = self._timer()
                pause = self._next - now
                if pause <= 0:
                    self._next = now + 1 / self._rate
                    self._sent += 1
                    return now
                # In short naps, so that Ctrl-C is noticed and a faster rate is used at once.
                self._turn.wait(min(pause, 0.1))
        raise AuditStoppedError

    def accepted(self) -> None:
        """Note that AWS did not throttle a call: after a throttle, the rate creeps up again."""
        with self._turn:
            now = self._timer()
            self._accepted = now
            if math.isfinite(self._rate):
                grown = self._rate * _MORE ** (now - self._changed)
                self._rate = min(grown, self._max_rate)
                self._changed = now

    def throttled(self, sent: float) -> bool:
        """Note that AWS throttled a call sent at that moment; return whether to try it again.

        What was sent before the rate fell says nothing about the lower rate.
        """
        with self._turn:
            now = self._timer()
            if math.isinf(self._rate):
                seen = self._sent / max(now - self._begun, 1.0)
                self._rate = max(seen / 2, _FIRST_GUESS)
                self._changed = now
            elif sent >= self._changed:
                self._rate = max(self._rate * _LESS, min(_SLOWEST, self._max_rate))
                self._changed = now
            self._next = max(self._next, now + 1 / self._rate)
            return now - self._accepted < PATIENCE_SECONDS


class Paces:
    """The paces of a client's APIs."""

    def __init__(self, stopped: Event, max_rate: float = math.inf) -> None:
        """Give every API at most this rate, calls a second, until `stopped` is set."""
        self._of = defaultdict[str, Pace](lambda: Pace(stopped, max_rate))

    def of(self, operation: str) -> Pace:
        """Give the pace of an API."""
        return self._of[operation]

    def attach(self, client: "BaseClient") -> None:
        """Pace a client's calls. The wait is before the signature, which ages."""

        def before_call(model: Any, params: Any, **_: object) -> None:  # noqa: ANN401 - botocore
            params["context"]["paced"] = self.of(model.name).wait()

        def needs_retry(
            response: tuple[Any, Mapping[str, Any]] | None,
            operation: Any,  # noqa: ANN401 - botocore's
            request_dict: Any,  # noqa: ANN401 - botocore's
            **_: object,
        ) -> float | None:
            if response is None:
                return None
            pace, context = self.of(operation.name), request_dict["context"]
            if str(response[1].get("Error", {}).get("Code")) not in THROTTLED:
                pace.accepted()
                return None
            if not pace.throttled(context["paced"]):
                return None
            context["paced"] = pace.wait()
            return 0.0

        client.meta.events.register_last("before-call.*.*", before_call)
        respond: Callable[..., Any] = needs_retry  # seconds to wait before the call is sent again
        client.meta.events.register_first("needs-retry.*.*", respond)
