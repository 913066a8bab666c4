import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.kms import (
    AliasCheckRequest,
    KeyCheckRequest,
    KeyEventCheckRequest,
    KeyStoreCheckRequest,
    parse_key_event,
)
from tests.unit.builders import KEY

EVENTS = Path(__file__).parents[3] / "events"
HAPPENED = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
KEY_ID = KEY.arn.rpartition("/")[2]
ALIAS = f"{KEY.arn.rpartition(':')[0]}:alias/emr-logs"


def an_event(name: str = "cloudtrail-disable-key") -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def with_detail(name: str = "cloudtrail-disable-key", **changes: object) -> dict[str, Any]:
    """Change fields of the record; None takes one away."""
    event = an_event(name)
    detail = event["detail"] | changes
    return event | {"detail": {field: said for field, said in detail.items() if said is not None}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cloudtrail-disable-key", KeyCheckRequest(KEY.arn, HAPPENED)),
        ("cloudtrail-import-key-material", KeyCheckRequest(KEY.arn, HAPPENED)),
        ("cloudtrail-delete-expired-key-material", KeyCheckRequest(KEY.arn, HAPPENED)),
        ("cloudtrail-delete-key", KeyCheckRequest(KEY.arn, HAPPENED)),
        ("kms-imported-key-material-expiration", KeyCheckRequest(KEY.arn, HAPPENED)),
        ("kms-cmk-deletion", KeyCheckRequest(KEY.arn, HAPPENED)),
        ("cloudtrail-create-alias", AliasCheckRequest(ALIAS, KEY.arn, HAPPENED)),
        ("cloudtrail-update-alias", AliasCheckRequest(ALIAS, KEY.arn, HAPPENED)),
        ("cloudtrail-delete-alias", AliasCheckRequest(ALIAS, KEY.arn, HAPPENED)),
        (
            "cloudtrail-connect-custom-key-store",
            KeyStoreCheckRequest("cks-1234567890abcdef0", HAPPENED),
        ),
        (
            "cloudtrail-disconnect-custom-key-store",
            KeyStoreCheckRequest("cks-1234567890abcdef0", HAPPENED),
        ),
    ],
)
def test_each_event_yields_a_check_of_what_changed(
    name: str, expected: KeyEventCheckRequest
) -> None:
    assert parse_key_event(an_event(name)) == expected


@pytest.mark.parametrize(
    ("request_key", "answered", "resources", "key"),
    [
        (KEY.arn, None, None, KEY.arn),
        ("alias/emr-logs", {"keyId": KEY.arn}, None, KEY.arn),
        (KEY_ID, {"keyId": KEY_ID}, [{"ARN": ALIAS}, {"ARN": KEY.arn}], KEY.arn),
        (KEY_ID, {}, [{"type": "AWS::KMS::Key"}], KEY_ID),
        ("alias/emr-logs", None, None, "alias/emr-logs"),
    ],
)
def test_key_arn_in_the_event_is_preferred_to_other_identifiers(
    request_key: str,
    answered: dict[str, str] | None,
    resources: list[dict[str, str]] | None,
    key: str,
) -> None:
    event = with_detail(
        requestParameters={"keyId": request_key, "pendingWindowInDays": 7},
        responseElements=answered,
        resources=resources,
    )

    assert parse_key_event(event | {"source": "aws.elsewhere"}) == KeyCheckRequest(key, HAPPENED)


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-west-1", "arn:aws:kms:eu-west-1:111122223333:alias/emr-logs"),
        ("cn-north-1", "arn:aws-cn:kms:cn-north-1:111122223333:alias/emr-logs"),
        ("us-gov-west-1", "arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/emr-logs"),
    ],
)
def test_alias_arn_has_the_account_and_region_of_the_event(region: str, arn: str) -> None:
    event = with_detail("cloudtrail-update-alias", responseElements=None, resources=None)

    assert parse_key_event(event | {"region": region}) == AliasCheckRequest(arn, None, HAPPENED)


def test_event_without_a_time_is_accepted() -> None:
    event = an_event("kms-cmk-deletion")
    del event["time"]

    assert parse_key_event(event) == KeyCheckRequest(KEY.arn)


@pytest.mark.parametrize(
    ("expected", "subject"),
    [
        (KeyCheckRequest(KEY_ID), KEY_ID),
        (AliasCheckRequest(ALIAS, KEY.arn), ALIAS),
        (KeyStoreCheckRequest("cks-1"), "cks-1"),
    ],
)
def test_subject_of_a_request_is_its_key_alias_or_key_store(
    expected: KeyEventCheckRequest, subject: str
) -> None:
    assert expected.subject == subject


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "mine"},
        {"time": "yesterday"},
        {"time": "2026-03-14T15:09:26"},
        {"detail-type": "Scheduled Event"},
        {"region": ""},
        {"account": None},
        {"detail": {"eventSource": "s3.amazonaws.com", "requestParameters": {"keyId": "k"}}},
        {"detail": {"eventSource": "kms.amazonaws.com", "requestParameters": {"keyId": ""}}},
        {"detail": {"eventSource": "kms.amazonaws.com", "requestParameters": {}}},
        {"detail": {"eventSource": "kms.amazonaws.com", "requestParameters": None}},
        {"detail": {"eventSource": "kms.amazonaws.com", "resources": [{"ARN": ALIAS}]}},
        {"detail": {"eventSource": "kms.amazonaws.com"}},
        {"detail": an_event()["detail"] | {"errorCode": "AccessDenied"}},
    ],
)
def test_event_that_changes_no_key_is_rejected(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidEventError, match="not RecordedEvent"):
        parse_key_event(an_event() | changes)


@pytest.mark.parametrize(
    "changes",
    [{"source": "aws.other"}, {"source": "mine"}, {"resources": []}, {"resources": [""]}],
)
def test_event_that_kms_did_not_send_is_rejected(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidEventError, match="not KeyEvent"):
        parse_key_event(an_event("kms-cmk-deletion") | changes)


@pytest.mark.parametrize("event", [None, [], "x", {}])
def test_value_that_is_not_an_event_is_rejected(event: object) -> None:
    with pytest.raises(InvalidEventError):
        parse_key_event(event)
