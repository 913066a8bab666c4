import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.s3 import parse_object_created

EVENT: dict[str, Any] = {
    "version": "0",
    "source": "aws.s3",
    "detail-type": "Object Created",
    "account": "111122223333",
    "region": "eu-west-1",
    "detail": {
        "bucket": {"name": "example-logs"},
        "object": {"key": "emr/j-2AXXXXXXGAPLF/stderr.gz", "version-id": "v1", "size": 5},
        "reason": "PutObject",
    },
}


def an_event(**changes: object) -> str:
    """Write the usual event with these values at dotted paths; None takes a field away."""
    event = deepcopy(EVENT)
    for path, value in changes.items():
        *parents, last = path.replace("__", ".").replace("_", "-").split(".")
        place = event
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return json.dumps(event)


def test_the_event_names_the_object_and_its_version() -> None:
    event = parse_object_created(an_event())

    assert event.version == ObjectVersion("example-logs", "emr/j-2AXXXXXXGAPLF/stderr.gz", "v1")
    assert (event.account, event.region) == ("111122223333", "eu-west-1")


def test_the_event_says_when_if_it_says_so() -> None:
    said = parse_object_created(an_event(time="2026-03-14T15:09:26Z"))

    assert said.time == datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
    assert parse_object_created(an_event()).time is None
    with pytest.raises(InvalidEventError, match=r"\$\.time"):
        parse_object_created(an_event(time="2026-03-14T15:09:26"))


@pytest.mark.parametrize("version", [None, ""], ids=["absent", "empty"])
def test_a_bucket_without_versions_names_none(version: str | None) -> None:
    assert parse_object_created(an_event(detail__object__version_id=version)).version == (
        ObjectVersion("example-logs", "emr/j-2AXXXXXXGAPLF/stderr.gz")
    )


@pytest.mark.parametrize(
    "key",
    [
        "a b/j-1A/x",
        "a+b/j-1A/x",
        "a%20b/j-1A/x",
        "日本語/ü/j-1A/x",
        "a\nb/j-1A/x",
        "a\u202eb/j-1A/x",
        "../j-1A/x?versionId=v9#z",
        "/",
    ],
)
def test_a_key_is_taken_as_it_is(key: str) -> None:
    """EventBridge does not URL-encode keys: decoding one would point to another object."""
    assert parse_object_created(an_event(detail__object__key=key)).version.key == key


def test_fields_that_aws_adds_are_ignored() -> None:
    body = an_event(novelty=1, detail__novelty=2, detail__object__novelty=3)

    assert parse_object_created(body).version.bucket == "example-logs"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (an_event(source="aws.s4"), r"\$\.source"),
        (an_event(source=None), "source"),
        (an_event(detail_type="Object Deleted"), r"\$\.detail-type"),
        (an_event(detail_type=None), "detail-type"),
        (an_event(account=None), "account"),
        (an_event(account=""), r"\$\.account"),
        (an_event(region=None), "region"),
        (an_event(region=7), r"\$\.region"),
        (an_event(detail=None), "detail"),
        (an_event(detail=[]), r"\$\.detail"),
        (an_event(detail__bucket=None), "bucket"),
        (an_event(detail__bucket__name=None), "name"),
        (an_event(detail__bucket__name=""), r"\$\.detail\.bucket\.name"),
        (an_event(detail__object=None), "object"),
        (an_event(detail__object__key=None), "key"),
        (an_event(detail__object__key=""), r"\$\.detail\.object\.key"),
        (an_event(detail__object__key=5), r"\$\.detail\.object\.key"),
        (an_event(detail__object__version_id=5), r"\$\.detail\.object\.version-id"),
    ],
)
def test_a_forged_or_malformed_event_is_refused_by_the_name_of_its_field(
    body: str, field: str
) -> None:
    with pytest.raises(InvalidEventError, match=f"not ObjectCreated: .*{field}"):
        parse_object_created(body)


@pytest.mark.parametrize("body", ["", "no json", "null", "[]", "{", '{"Event":"s3:TestEvent"}'])
def test_what_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(InvalidEventError, match="not ObjectCreated"):
        parse_object_created(body)
