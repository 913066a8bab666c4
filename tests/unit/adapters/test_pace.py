import json
from collections.abc import Callable
from threading import Condition, Event
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from emr_log_guard.adapters.pace import PATIENCE_SECONDS, Pace, Paces
from emr_log_guard.errors import AuditStoppedError

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient


class Clock:
    """Seconds that pass when somebody waits."""

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
    """Lets the clock go on instead of waiting."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.clock.seconds += timeout
        return False


def spend(clock: Clock, pace: Pace, api: Api, calls: int) -> tuple[float, int]:
    """Make calls one after the other; say how long it took, and how many were refused."""
    begun, refused = clock.seconds, 0
    for _ in range(calls):
        sent = pace.wait()
        while not api.takes():
            refused += 1
            assert pace.throttled(sent)
            sent = pace.wait()
        pace.accepted()
    return clock.seconds - begun, refused


def test_nobody_waits_before_aws_throttles(clock: Clock) -> None:
    pace = Pace(Event(), timer=clock, turn=Napping(clock))
    for _ in range(1000):
        pace.wait()
        pace.accepted()
    assert clock.seconds == 100.0


@pytest.mark.parametrize(
    ("burst", "refill", "calls"), [(10, 1, 200), (10, 0.5, 100), (20, 10, 1000), (100, 50, 5000)]
)
def test_after_a_throttle_the_quota_is_used_up_without_being_known(
    clock: Clock, burst: float, refill: float, calls: int
) -> None:
    pace = Pace(Event(), timer=clock, turn=Napping(clock))
    took, refused = spend(clock, pace, Api(clock, burst, refill), calls)

    assert took <= 1.1 * (calls - burst) / refill
    assert refused < calls / 3


def test_no_call_is_faster_than_the_highest_rate(clock: Clock) -> None:
    pace = Pace(Event(), 5.0, clock, Napping(clock))
    for _ in range(11):
        pace.wait()
        pace.accepted()
    assert clock.seconds == pytest.approx(102.0)


def test_calls_that_were_in_flight_do_not_lower_the_rate_again(clock: Clock) -> None:
    pace = Pace(Event(), timer=clock, turn=Napping(clock))
    sent = [pace.wait() for _ in range(32)]
    clock.seconds += 0.05
    for moment in sent:
        pace.throttled(moment)
    before = clock.seconds
    pace.wait()
    pace.wait()
    # 32 calls were sent in the first second: half of that is tried next.
    assert clock.seconds - before == pytest.approx(2 / 16)


def test_an_api_that_refuses_everything_is_given_up(clock: Clock) -> None:
    pace = Pace(Event(), timer=clock, turn=Napping(clock))
    sent = pace.wait()
    tries = 0
    while pace.throttled(sent):
        sent, tries = pace.wait(), tries + 1
    assert tries > 3
    assert clock.seconds - 100 == pytest.approx(PATIENCE_SECONDS, rel=0.25)


def test_who_waits_gives_up_when_the_audit_is_stopped(clock: Clock) -> None:
    stopped = Event()

    class Stopping(Napping):
        def wait(self, timeout: float | None = None) -> bool:
            stopped.set()
            return super().wait(timeout)

    pace = Pace(stopped, 0.01, clock, Stopping(clock))
    pace.wait()

    with pytest.raises(AuditStoppedError):
        pace.wait()
    assert clock.seconds - 100 <= 0.1  # of the 100 that its turn is away


def refusing(client: "EMRClient", codes: list[str]) -> None:
    """Have these errors answered, one a request, and then an empty list."""

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
        body = json.dumps({"__type": codes.pop(0), "message": "told by AWS"}).encode()
        return AWSResponse("https://stubbed.invalid", 400, HTTPHeaders(), Raw(body))

    respond: Callable[..., Any] = send  # what it returns is taken for AWS's answer
    client.meta.events.register_first("before-send.*.*", respond)


@pytest.fixture
def client() -> "EMRClient":
    made: EMRClient = boto3.client("emr", region_name="eu-west-1")
    return made


def test_a_throttled_call_is_sent_again_until_it_is_answered(client: "EMRClient") -> None:
    Paces(Event()).attach(client)
    codes = ["ThrottlingException"] * 2
    refusing(client, codes)

    assert client.list_clusters()["Clusters"] == []
    assert codes == []


def test_any_other_error_is_told_at_once(client: "EMRClient") -> None:
    Paces(Event()).attach(client)
    refusing(client, ["AccessDeniedException"])

    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_clusters()


def test_a_call_is_not_sent_once_the_audit_is_stopped(client: "EMRClient") -> None:
    stopped = Event()
    Paces(stopped).attach(client)
    refusing(client, [])
    stopped.set()

    with pytest.raises(AuditStoppedError):
        client.list_clusters()
