import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.log_objects import parse_log_object_request
from emr_log_guard.events.s3 import parse_encryption_updated, parse_object_created

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


def test_object_created_event_yields_the_object_version() -> None:
    event = parse_object_created(an_event())

    assert event.version == ObjectVersion("example-logs", "emr/j-2AXXXXXXGAPLF/stderr.gz", "v1")
    assert (event.account, event.region) == ("111122223333", "eu-west-1")


def test_time_of_the_event_is_parsed_if_present() -> None:
    said = parse_object_created(an_event(time="2026-03-14T15:09:26Z"))

    assert said.time == datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
    assert parse_object_created(an_event()).time is None
    with pytest.raises(InvalidEventError, match=r"\$\.time"):
        parse_object_created(an_event(time="2026-03-14T15:09:26"))


@pytest.mark.parametrize("version", [None, ""], ids=["absent", "empty"])
def test_object_without_a_version_id_has_none(version: str | None) -> None:
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
def test_object_key_is_not_url_decoded(key: str) -> None:
    """EventBridge does not URL-encode keys: decoding one would point to another object."""
    assert parse_object_created(an_event(detail__object__key=key)).version.key == key


def test_unknown_fields_are_ignored() -> None:
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
def test_forged_or_malformed_event_is_rejected_with_the_name_of_its_field(
    body: str, field: str
) -> None:
    with pytest.raises(InvalidEventError, match=f"not ObjectCreated: .*{field}"):
        parse_object_created(body)


@pytest.mark.parametrize("body", ["", "no json", "null", "[]", "{", '{"Event":"s3:TestEvent"}'])
def test_body_that_is_not_an_event_is_rejected(body: str) -> None:
    with pytest.raises(InvalidEventError, match="not ObjectCreated"):
        parse_object_created(body)


EVENTS = Path(__file__).parents[3] / "events"
LOG = "logs/j-2AXXXXXXGAPLF/node/i-0123456789abcdef0/daemons/instance-controller.log.gz"


def updated(detail: dict[str, object] | None = None, **changes: object) -> str:
    """Write CloudTrail's event with these fields, and these of the record."""
    event: dict[str, Any] = json.loads(
        (EVENTS / "cloudtrail-update-object-encryption.json").read_text()
    )
    return json.dumps(event | {"detail": event["detail"] | (detail or {})} | changes)


def updated_key(key: str) -> str:
    return updated({"requestParameters": {"bucketName": "example-logs", "key": key}})


def test_re_encryption_event_yields_the_object_version() -> None:
    event = parse_encryption_updated(updated())
    request = parse_log_object_request(updated())

    version = ObjectVersion("amzn-s3-demo-emr-logs", LOG, "96fKIxZ4bq.pGVxhT1tcA")
    assert (event.version, event.decoded) == (version, None)
    assert (request.version, request.account, request.region) == (
        version,
        "111122223333",
        "eu-west-1",
    )
    assert (request.reencrypted, request.recheck_for, request.otherwise) == (True, None, None)
    assert request.at == datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


def test_re_encryption_event_without_a_version_means_the_current_version() -> None:
    event = parse_encryption_updated(updated_key(LOG))

    assert event.version == ObjectVersion("amzn-s3-demo-emr-logs", LOG)


@pytest.mark.parametrize(
    "resources",
    [
        None,
        [],
        [{}],
        [{"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::other/{LOG}"}],
        [{"type": "AWS::S3::Bucket"}],
    ],
)
def test_bucket_comes_from_the_request_when_no_resource_names_it(resources: object) -> None:
    event = parse_encryption_updated(updated({"resources": resources}))

    assert event.version.bucket == "amzn-s3-demo-emr-logs"


def test_access_point_alias_is_resolved_to_its_bucket() -> None:
    request = {"bucketName": "logs-a1b2c3-s3alias", "key": LOG}

    event = parse_encryption_updated(updated({"requestParameters": request}))

    assert event.version.bucket == "amzn-s3-demo-emr-logs"


@pytest.mark.parametrize(
    ("written", "decoded"),
    [
        ("a%20b/j-1A/x", "a b/j-1A/x"),
        ("team%3Dann/j-1A/x", "team=ann/j-1A/x"),
        ("100%/j-1A/x", None),
        ("a+b/j-1A/x", None),
        ("a b/j-1A/x", None),
    ],
)
def test_url_encoded_key_has_a_decoded_alternative(written: str, decoded: str | None) -> None:
    request = parse_log_object_request(updated_key(written))

    assert request.version.key == written
    assert (request.otherwise.key if request.otherwise else None) == decoded


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (updated({"errorCode": "AccessDenied"}), r"\$\.detail\.errorCode"),
        (updated({"eventName": "PutObject"}), r"\$\.detail\.eventName"),
        (updated({"eventSource": "s3express.amazonaws.com"}), r"\$\.detail\.eventSource"),
        (updated({"requestParameters": None}), r"\$\.detail\.requestParameters"),
        (updated({"requestParameters": {"bucketName": "b"}}), "key"),
        (updated({"requestParameters": {"bucketName": "", "key": "k"}}), "bucketName"),
        (updated(source="mine"), r"\$\.source"),
        (updated(account=""), r"\$\.account"),
        (updated(region=None), r"\$\.region"),
        (updated(time="2026-03-14T15:09:26"), r"\$\.time"),
    ],
)
def test_event_without_a_re_encryption_is_rejected_with_the_name_of_its_field(
    body: str, field: str
) -> None:
    with pytest.raises(InvalidEventError, match=f"not EncryptionUpdated: .*{field}"):
        parse_log_object_request(body)
