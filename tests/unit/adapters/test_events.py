import json

import pytest

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.events import EventBridgeBus, EventBridgeRechecks
from emr_log_guard.errors import PutEventsFailedError, RecheckNotRequestedError
from emr_log_guard.events.emr import parse_cluster_event
from emr_log_guard.rendering.alerts.events import BusEvent
from tests.unit.builders import NOW
from tests.unit.stubbed_aws import StubbedAws, every_event_accepted


@pytest.fixture
def aws() -> StubbedAws:
    return StubbedAws()


def rechecks(aws: StubbedAws, waits: list[float]) -> EventBridgeRechecks:
    clients.events.cache_clear()
    return EventBridgeRechecks(aws.attach(clients.events()), "emr-log-guard", waits.append)


def test_rechecks_are_requested_in_batches_of_ten_without_a_pause(aws: StubbedAws) -> None:
    aws.answer("PutEvents", every_event_accepted)
    waits: list[float] = []

    rechecks(aws, waits).request(f"j-{n}" for n in range(25))

    batches = [request["Entries"] for _, request in aws.calls]
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert waits == []
    record = batches[2][4]
    event = {
        "source": record["Source"],
        "detail-type": record["DetailType"],
        "detail": json.loads(record["Detail"]),
    }
    assert parse_cluster_event(event).cluster_id == "j-24"
    assert json.loads(record["Detail"])["stack"] == "emr-log-guard"
    assert "Time" not in record  # EventBridge says when it was asked for


def test_recheck_request_has_the_time_of_its_cause(aws: StubbedAws) -> None:
    aws.answer("PutEvents", every_event_accepted)

    rechecks(aws, []).request(["j-1"], NOW)

    [(_, request)] = aws.calls
    assert request["Entries"][0]["Time"] == NOW


def test_recheck_request_of_a_log_bucket_contains_its_arn(aws: StubbedAws) -> None:
    aws.answer("PutEvents", every_event_accepted)

    rechecks(aws, []).request(["arn:aws:s3:::example-logs"])

    [(_, request)] = aws.calls
    assert json.loads(request["Entries"][0]["Detail"]) == {
        "stack": "emr-log-guard",
        "bucket_arn": "arn:aws:s3:::example-logs",
    }


def test_no_clusters_cause_no_call(aws: StubbedAws) -> None:
    rechecks(aws, []).request(())

    assert aws.calls == []


def test_only_rejected_recheck_requests_are_repeated(aws: StubbedAws) -> None:
    aws.answer(
        "PutEvents", {"FailedEntryCount": 1, "Entries": [TAKEN, REFUSED]}, every_event_accepted
    )
    waits: list[float] = []

    rechecks(aws, waits).request(["j-1", "j-2"])

    first, second = (request["Entries"] for _, request in aws.calls)
    assert (len(first), second) == (2, first[1:])
    assert waits == [1]


def test_recheck_request_rejected_at_every_attempt_raises(aws: StubbedAws) -> None:
    aws.answer(
        "PutEvents",
        {"FailedEntryCount": 1, "Entries": [TAKEN, REFUSED]},
        {"FailedEntryCount": 1, "Entries": [REFUSED]},
    )

    with pytest.raises(RecheckNotRequestedError, match="1 requests: InternalFailure"):
        rechecks(aws, []).request(["j-1", "j-2"])
    assert aws.counts == {"PutEvents": 3}


BUS = "arn:aws:events:eu-west-1:444455556666:event-bus/security"
REFUSED = {"ErrorCode": "InternalFailure", "ErrorMessage": "later"}
TAKEN = {"EventId": "e"}


def some_events(count: int) -> list[BusEvent]:
    return [BusEvent("Finding Opened", f"arn-{n}", {"id": n, "name": "日本"}) for n in range(count)]


def bus(aws: StubbedAws, waits: list[float]) -> EventBridgeBus:
    clients.events.cache_clear()
    return EventBridgeBus(aws.attach(clients.events()), BUS, waits.append)


def test_events_are_put_in_batches_of_ten(aws: StubbedAws) -> None:
    aws.answer("PutEvents", every_event_accepted)
    waits: list[float] = []

    bus(aws, waits).put(some_events(16))

    batches = [request["Entries"] for _, request in aws.calls]
    assert [len(batch) for batch in batches] == [10, 6]
    assert batches[0][0] == {
        "EventBusName": BUS,
        "Source": "emr-log-guard",
        "DetailType": "Finding Opened",
        "Detail": '{"id": 0, "name": "日本"}',
        "Resources": ["arn-0"],
    }
    assert waits == []


def test_only_rejected_events_are_put_again(aws: StubbedAws) -> None:
    aws.answer(
        "PutEvents",
        {"FailedEntryCount": 1, "Entries": [TAKEN, REFUSED, TAKEN]},
        every_event_accepted,
    )
    waits: list[float] = []

    bus(aws, waits).put(some_events(3))

    assert [len(request["Entries"]) for _, request in aws.calls] == [3, 1]
    assert aws.calls[1][1]["Entries"][0]["Resources"] == ["arn-1"]
    assert waits == [1]


def test_event_rejected_at_every_attempt_raises_put_events_failed(aws: StubbedAws) -> None:
    aws.answer(
        "PutEvents",
        {"FailedEntryCount": 1, "Entries": [TAKEN, REFUSED]},
        {"FailedEntryCount": 1, "Entries": [REFUSED]},
    )

    with pytest.raises(PutEventsFailedError, match="refused 1 events: InternalFailure"):
        bus(aws, []).put(some_events(2))
    assert aws.counts == {"PutEvents": 3}


def test_no_events_cause_no_call(aws: StubbedAws) -> None:
    bus(aws, []).put([])

    assert aws.calls == []
