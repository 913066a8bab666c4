import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.review import parse_review

EVENTS = Path(__file__).parents[3] / "events"


@pytest.mark.parametrize(
    ("event", "review"),
    [
        ({"review": "late"}, "late"),
        ({"review": "all"}, "all"),
        ({"source": "aws.events", "detail-type": "Scheduled Event"}, "all"),
    ],
)
def test_review_covers_everything_unless_only_late_findings_are_requested(
    event: object, review: str
) -> None:
    request = parse_review(event)

    assert (request.review, request.policy_changed) == (review, False)


def test_policy_change_event_yields_a_full_review_with_its_time() -> None:
    request = parse_review(json.loads((EVENTS / "parameter-store-change.json").read_text()))

    assert (request.review, request.policy_changed) == ("all", True)
    assert request.time == datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


@pytest.mark.parametrize("event", [None, [], {"review": "some"}])
def test_request_for_an_unknown_review_is_rejected(event: object) -> None:
    with pytest.raises(InvalidEventError):
        parse_review(event)
