import json

import pytest

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.eventbridge import EventBridgeRechecks
from emr_log_guard.errors import RecheckNotRequestedError
from emr_log_guard.events.emr import parse_cluster_event
from tests.unit.builders import NOW
from tests.unit.stubbed_aws import StubbedAws


@pytest.fixture
def aws() -> StubbedAws:
    return StubbedAws()


def rechecks(aws: StubbedAws, waits: list[float]) -> EventBridgeRechecks:
    clients.events.cache_clear()
    return EventBridgeRechecks(aws.attach(clients.events()), waits.append)


def test_checks_are_asked_for_no_faster_than_they_can_be_made(aws: StubbedAws) -> None:
    aws.answer("PutEvents", {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]})
    waits: list[float] = []

    rechecks(aws, waits).request(f"j-{n}" for n in range(25))

    batches = [request["Entries"] for _, request in aws.calls]
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert waits == [10, 10]
    entry = batches[2][4]
    event = {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "detail": json.loads(entry["Detail"]),
    }
    assert parse_cluster_event(event).cluster_id == "j-24"
    assert "Time" not in entry  # EventBridge says when it was asked for


def test_a_check_is_dated_to_what_it_is_made_for(aws: StubbedAws) -> None:
    aws.answer("PutEvents", {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]})

    rechecks(aws, []).request(["j-1"], NOW)

    [(_, request)] = aws.calls
    assert request["Entries"][0]["Time"] == NOW


def test_nothing_is_asked_for_nobody(aws: StubbedAws) -> None:
    rechecks(aws, []).request(())

    assert aws.calls == []


def test_what_eventbridge_refuses_is_tried_again(aws: StubbedAws) -> None:
    refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    aws.answer("PutEvents", {"FailedEntryCount": 1, "Entries": [{"EventId": "e"}, refused]})

    with pytest.raises(RecheckNotRequestedError, match="1 requests: ThrottlingException"):
        rechecks(aws, []).request(["j-1", "j-2"])
