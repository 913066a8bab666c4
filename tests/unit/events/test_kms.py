import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.kms import KeyHint, parse_key_event
from tests.unit.builders import KEY

EVENT = Path(__file__).parents[3] / "events" / "cloudtrail-disable-key.json"
HAPPENED = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


def an_event() -> dict[str, Any]:
    event: dict[str, Any] = json.loads(EVENT.read_text())
    return event


def test_the_key_is_named_as_the_caller_typed_it() -> None:
    event = an_event()
    assert parse_key_event(event) == KeyHint(KEY.arn, HAPPENED)

    event["detail"]["requestParameters"] = {"keyId": "alias/emr-logs", "pendingWindowInDays": 7}
    assert parse_key_event(event | {"source": "aws.elsewhere"}).key == "alias/emr-logs"


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "mine"},
        {"time": "yesterday"},
        {"time": "2026-03-14T15:09:26"},
        {"detail-type": "Scheduled Event"},
        {"detail": {"eventSource": "s3.amazonaws.com", "requestParameters": {"keyId": "k"}}},
        {"detail": {"eventSource": "kms.amazonaws.com", "requestParameters": {"keyId": ""}}},
        {"detail": {"eventSource": "kms.amazonaws.com"}},
        {"detail": an_event()["detail"] | {"errorCode": "AccessDenied"}},
    ],
)
def test_what_changed_no_key_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidEventError):
        parse_key_event(an_event() | changes)
