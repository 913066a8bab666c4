import json
from collections.abc import Callable
from threading import Condition, Event
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from emr_log_guard.adapters.errors import RateLimitedError, unresolved
from emr_log_guard.adapters.rate_limiter import (
    GIVE_UP_AFTER_SECONDS,
    Limit,
    RateLimiter,
    RateLimiters,
)
from emr_log_guard.domain.emr_rates import Rate
from emr_log_guard.errors import AuditStoppedError

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient


class Clock:
    """Seconds that pass when a call waits."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Api:
    """A bucket of calls, as AWS throttles."""

    def __init__(self, clock: Clock, burst: float, refill: float) -> None:
        self.clock, self.burst, self.refill = clock, burst, refill
        self.left, self.filled = burst, clock.seconds

    def takes(self) -> bool:
        now = self.clock.seconds
        self.left = min(self.burst, self.left + (now - self.filled) * self.refill)
        self.filled = now
        taken = self.left >= 1
        self.left -= taken
        return taken


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Napping(Condition):
    """Advances the clock instead of waiting."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.clock.seconds += timeout
        return False


def spend(clock: Clock, limiter: RateLimiter, api: Api, calls: int) -> tuple[float, int]:
    """Make calls one after the other; return the seconds and how many were throttled."""
    begun, refused = clock.seconds, 0
    for _ in range(calls):
        sent = limiter.wait()
        while not api.takes():
            refused += 1
            assert limiter.throttled(sent)
            sent = limiter.wait()
        limiter.accepted()
    return clock.seconds - begun, refused


def test_call_does_not_wait_before_the_first_throttle(clock: Clock) -> None:
    limiter = RateLimiter(Event(), timer=clock, condition=Napping(clock))
    for _ in range(1000):
        limiter.wait()
        limiter.accepted()
    assert clock.seconds == 100.0


@pytest.mark.parametrize(
    ("burst", "refill", "calls"), [(10, 1, 200), (10, 0.5, 100), (20, 10, 1000), (100, 50, 5000)]
)
def test_rate_follows_the_unknown_quota_after_a_throttle(
    clock: Clock, burst: float, refill: float, calls: int
) -> None:
    limiter = RateLimiter(Event(), timer=clock, condition=Napping(clock))
    took, refused = spend(clock, limiter, Api(clock, burst, refill), calls)

    assert took <= 1.1 * (calls - burst) / refill
    assert refused < calls / 3


def test_calls_never_exceed_the_highest_rate(clock: Clock) -> None:
    limiter = RateLimiter(Event(), Limit(Rate(5)), clock, Napping(clock))
    for _ in range(11):
        limiter.wait()
        limiter.accepted()
    assert clock.seconds == pytest.approx(102.0)


def test_burst_is_sent_at_once_and_refills_during_a_pause(clock: Clock) -> None:
    limiter = RateLimiter(Event(), Limit(Rate(0.5, 5)), clock, Napping(clock))

    for _ in range(2):
        before = clock.seconds
        for _ in range(5):
            limiter.wait()
        assert clock.seconds == before

        limiter.wait()
        assert clock.seconds - before == pytest.approx(2, abs=0.1)
        clock.seconds += 60


def test_environments_that_share_a_quota_use_it_fully_without_throttles(
    clock: Clock,
) -> None:
    api = Api(clock, burst=10, refill=1)
    limit = Limit(Rate(0.5, 5))
    environments = [RateLimiter(Event(), limit, clock, Napping(clock)) for _ in range(2)]

    for call in range(60):
        environments[call % 2].wait()
        assert api.takes()

    assert clock.seconds - 100 == pytest.approx(50, rel=0.05)


def test_call_without_patience_raises_without_being_sent(clock: Clock) -> None:
    limiter = RateLimiter(Event(), Limit(Rate(0.25, 2), patience=0), clock, Napping(clock))
    limiter.wait()
    limiter.wait()

    with pytest.raises(RateLimitedError):
        limiter.wait("ListSteps")
    assert clock.seconds == 100

    clock.seconds += 4
    limiter.wait()


def test_call_waits_only_if_its_turn_comes_within_its_patience(clock: Clock) -> None:
    quick = RateLimiter(Event(), Limit(Rate(0.1), patience=15), clock, Napping(clock))
    slow = RateLimiter(Event(), Limit(Rate(0.05), patience=15), clock, Napping(clock))

    for limiter in (quick, slow):
        limiter.wait()
    quick.wait()
    assert clock.seconds == pytest.approx(110, abs=0.1)

    clock.seconds = 100
    with pytest.raises(RateLimitedError):
        slow.wait()
    assert clock.seconds == 100


def test_throttled_call_without_patience_is_not_retried(clock: Clock) -> None:
    limit = Limit(Rate(0.25, 5), patience=0, give_up_after=0)
    limiter = RateLimiter(Event(), limit, clock, Napping(clock))

    assert not limiter.throttled(limiter.wait())


def test_first_throttle_after_an_idle_hour_is_retried(clock: Clock) -> None:
    limiter = RateLimiter(Event(), Limit(give_up_after=10), clock, Napping(clock))
    limiter.wait()
    limiter.accepted()
    clock.seconds += 3600

    assert limiter.throttled(limiter.wait())


def test_throttled_calls_in_flight_lower_the_rate_once(clock: Clock) -> None:
    limiter = RateLimiter(Event(), timer=clock, condition=Napping(clock))
    sent_at = [limiter.wait() for _ in range(32)]
    clock.seconds += 0.05
    for moment in sent_at:
        limiter.throttled(moment)
    before = clock.seconds
    limiter.wait()
    limiter.wait()
    # 32 calls were sent in the first second: half of that is tried next.
    assert clock.seconds - before == pytest.approx(2 / 16)


def test_calls_that_are_always_throttled_are_given_up(clock: Clock) -> None:
    limiter = RateLimiter(Event(), timer=clock, condition=Napping(clock))
    sent = limiter.wait()
    tries = 0
    while limiter.throttled(sent):
        sent, tries = limiter.wait(), tries + 1
    assert tries > 3
    assert clock.seconds - 100 == pytest.approx(GIVE_UP_AFTER_SECONDS, rel=0.25)


def test_waiting_call_raises_when_the_audit_is_stopped(clock: Clock) -> None:
    stopped = Event()

    class Stopping(Napping):
        def wait(self, timeout: float | None = None) -> bool:
            stopped.set()
            return super().wait(timeout)

    limiter = RateLimiter(stopped, Limit(Rate(0.01)), clock, Stopping(clock))
    limiter.wait()

    with pytest.raises(AuditStoppedError):
        limiter.wait()
    assert clock.seconds - 100 <= 0.1  # of the 100 until it may be sent


def refusing(client: "EMRClient", codes: list[str]) -> None:
    """Answer with these errors, one a request, and then with an empty list."""

    class Raw:
        def __init__(self, body: bytes) -> None:
            self.body = body

        def stream(self, **_: object) -> list[bytes]:
            return [self.body]

    def send(**_: object) -> AWSResponse:
        if not codes:
            return AWSResponse(
                "https://stubbed.invalid", 200, HTTPHeaders(), Raw(b'{"Clusters": []}')
            )
        body = json.dumps({"__type": codes.pop(0), "message": "by AWS"}).encode()
        return AWSResponse("https://stubbed.invalid", 400, HTTPHeaders(), Raw(body))

    respond: Callable[..., Any] = send  # what it returns is taken for AWS's answer
    client.meta.events.register_first("before-send.*.*", respond)


@pytest.fixture
def client() -> "EMRClient":
    made: EMRClient = boto3.client("emr", region_name="eu-west-1")
    return made


def test_throttled_call_is_retried_until_it_is_accepted(client: "EMRClient") -> None:
    RateLimiters(Event()).attach(client)
    codes = ["ThrottlingException"] * 2
    refusing(client, codes)

    assert client.list_clusters()["Clusters"] == []
    assert codes == []


def test_throttled_call_raises_at_once_when_it_is_given_up_immediately(client: "EMRClient") -> None:
    RateLimiters(Event(), Limit(give_up_after=0)).attach(client)
    codes = ["ThrottlingException"] * 2
    refusing(client, codes)

    with pytest.raises(ClientError, match="Throttling"):
        client.list_clusters()
    assert len(codes) == 1


def test_limit_of_one_action_does_not_delay_another(client: "EMRClient") -> None:
    limits = {"ListSteps": Limit(Rate(0.001), patience=0)}
    RateLimiters(Event(), limits=limits).attach(client)
    refusing(client, [])
    client.list_steps(ClusterId="j-1")

    with pytest.raises(RateLimitedError) as refused:
        client.list_steps(ClusterId="j-1")
    assert client.list_clusters()["Clusters"] == []

    problem = unresolved("elasticmapreduce:ListSteps", "j-1", refused.value)
    assert (problem.transient, problem.rate_limited) == (True, True)
    assert problem.reason == (
        "elasticmapreduce:ListSteps on j-1 was not called: the guard keeps to its share of EMR's "
        "quota"
    )


def test_other_error_is_raised_without_a_retry(client: "EMRClient") -> None:
    RateLimiters(Event()).attach(client)
    refusing(client, ["AccessDeniedException"])

    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_clusters()


def test_call_is_not_sent_after_the_audit_is_stopped(client: "EMRClient") -> None:
    stopped = Event()
    RateLimiters(stopped).attach(client)
    refusing(client, [])
    stopped.set()

    with pytest.raises(AuditStoppedError):
        client.list_clusters()
