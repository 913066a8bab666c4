import json
from typing import Any

import pytest

from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.import_findings import import_request
from emr_log_guard.events.log_objects import LogObjectCheckRequest, encode_recheck
from emr_log_guard.events.reencryption import encode_reencryption_request
from emr_log_guard.events.replay import (
    ForCheckCluster,
    ForCheckKey,
    ForCheckLogObjects,
    ForEnforce,
    ForImportFindings,
    ForReencrypt,
    ForReviewFindings,
    ForSubscribers,
    cause_of,
    parse_dead_letter,
    parse_replayable,
)
from tests.unit.builders import KEY
from tests.unit.dead_letters import (
    CLUSTER_ARN,
    CLUSTER_EVENT,
    EVENTS,
    NOTIFICATION,
    OBJECT_EVENT,
    REQUEST,
    event,
    failed,
)

RECHECK = encode_recheck(
    LogObjectCheckRequest(
        ObjectVersion("example-logs", "emr/a.gz", "1"), "111122223333", "eu-west-1", "j-1"
    )
)
TO_REENCRYPT = encode_reencryption_request(ObjectVersion("example-logs", "emr/a.gz", "1"))
ALIAS = f"{KEY.arn.rpartition(':')[0]}:alias/emr-logs"
LOG = (
    "amzn-s3-demo-emr-logs/logs/j-2AXXXXXXGAPLF/node/i-0123456789abcdef0/daemons/"
    "instance-controller.log.gz"
)
KINDS = {
    "emr": ForCheckCluster,
    "cloudtrail": ForCheckCluster,
    "cloudtrail-connect-custom-key-store": ForCheckKey,
    "cloudtrail-create-alias": ForCheckKey,
    "cloudtrail-delete": ForCheckKey,
    "cloudtrail-disable-key": ForCheckKey,
    "cloudtrail-disconnect-custom-key-store": ForCheckKey,
    "cloudtrail-import-key-material": ForCheckKey,
    "cloudtrail-update-alias": ForCheckKey,
    "cloudtrail-update-object-encryption": ForCheckLogObjects,
    "kms": ForCheckKey,
    "parameter-store": ForReviewFindings,
    "scheduled": ForReviewFindings,
    "recheck": ForCheckCluster,
    "s3": ForCheckLogObjects,
    "sqs-s3": ForCheckLogObjects,
    "sqs-enforcement": ForEnforce,
    "sqs-reencryption": ForReencrypt,
    "dynamodb-stream": ForImportFindings,
    "import-findings": ForImportFindings,
    "sns": ForSubscribers,
}
HANDLED = sorted(
    path.stem for path in EVENTS.iterdir() if path.stem != "cloudtrail-run-job-flow-failed"
)


RULES = ("EMRLOG-002", "EMRLOG-012")
# https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-errors.html
STREAM_BATCH = json.dumps(
    {
        "requestContext": {
            "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
            "functionArn": "arn:aws:lambda:eu-west-1:111122223333:function:import",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-03-14T15:10:00.000Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": "800000000003126276362",
            "endSequenceNumber": "800000000003126276362",
            "batchSize": 1,
            "streamArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/t/stream/2026",
        },
    }
)


def test_dead_letter_of_a_stream_is_replayed_as_a_full_import() -> None:
    what = parse_dead_letter(STREAM_BATCH)

    assert isinstance(what, ForImportFindings)
    assert what.event == import_request()


def kind_of(name: str) -> type:
    return KINDS[max((prefix for prefix in KINDS if name.startswith(prefix)), key=len)]


@pytest.mark.parametrize("name", HANDLED)
def test_each_example_event_is_replayed_to_its_function(name: str) -> None:
    assert type(parse_replayable(event(name))) is kind_of(name)


@pytest.mark.parametrize(
    ("what", "title"),
    [
        (CLUSTER_EVENT, "EMR Cluster State Change of j-2AXXXXXXGAPLF"),
        (json.loads(REQUEST), "request to terminate j-2AXXXXXXGAPLF"),
        (json.loads(TO_REENCRYPT), "request to re-encrypt s3://example-logs/emr/a.gz?versionId=1"),
        (event("cloudtrail-disable-key"), f"DisableKey of {KEY.arn}"),
        (event("cloudtrail-update-alias"), f"UpdateAlias of {ALIAS}"),
        (
            event("cloudtrail-disconnect-custom-key-store"),
            "DisconnectCustomKeyStore of cks-1234567890abcdef0",
        ),
        (event("kms-cmk-deletion"), f"KMS CMK Deletion of {KEY.arn}"),
        (
            event("cloudtrail-update-object-encryption"),
            f"UpdateObjectEncryption of s3://{LOG}?versionId=96fKIxZ4bq.pGVxhT1tcA",
        ),
        (event("scheduled-review"), "Scheduled Event, which starts a review of open findings"),
        (json.loads(RECHECK), "re-check request for s3://example-logs/emr/a.gz?versionId=1"),
        (event("sns-alert"), f"alert {NOTIFICATION['Subject']}"),
        (
            event("dynamodb-stream-findings"),
            f"import into Security Hub: {', '.join(f'{r} of j-2AXXXXXXGAPLF' for r in RULES)}",
        ),
        (
            event("import-findings-request"),
            "import into Security Hub: EMRLOG-002 of j-2AXXXXXXGAPLF",
        ),
        (import_request(), "import of all open findings into Security Hub"),
    ],
)
def test_replay_title_describes_its_subject(what: object, title: str) -> None:
    assert parse_replayable(what).title == title


def test_queued_messages_keep_their_bodies() -> None:
    records = event("sqs-s3-object-created")["Records"]

    what = parse_replayable(event("sqs-s3-object-created"))

    assert isinstance(what, ForCheckLogObjects)
    assert what.bodies == tuple(record["body"] for record in records)
    assert all(version.key in what.title for version in what.versions)
    assert all(isinstance(version, ObjectVersion) for version in what.versions)


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ([], "expected an object, not list"),
        (None, "expected an object, not NoneType"),
        ({}, "`detail-type`"),
        ({"Records": []}, "`Records` is empty"),
        ({"Records": [{"body": 1}]}, r"\$\.Records\[0\]\.body"),
        ({"Records": [{"Sns": {}}]}, "MessageId"),
        ({"Records": [{"body": "{"}]}, "not LogObjectMessage"),
        ({"detail-type": "EC2 Instance State-change Notification"}, r"\$\.detail-type"),
        ({"detail-type": "Object Created"}, "source"),
        (CLUSTER_EVENT | {"source": "mine"}, r"\$\.source"),
        (event("cloudtrail-run-job-flow-failed"), r"\$\.detail"),
        ({"schema": "emr-log-guard/enforcement/9"}, "schema"),
        (json.loads(REQUEST) | {"kill": True}, "kill"),
        (import_request() | {"everything": True}, "everything"),
        ({"Records": [{"dynamodb": {"Keys": {"pk": {"N": "1"}}}}]}, "S"),
    ],
)
def test_unknown_event_is_rejected_with_the_name_of_its_field(what: object, problem: str) -> None:
    with pytest.raises(InvalidEventError, match=problem):
        parse_replayable(what)


def test_batch_of_cluster_events_names_each_cluster() -> None:
    records = [{"body": json.dumps(each)} for each in (CLUSTER_EVENT, event("recheck-requested"))]

    what = parse_replayable({"Records": records})

    assert isinstance(what, ForCheckCluster)
    assert what.title == (
        "EMR Cluster State Change of j-2AXXXXXXGAPLF, Recheck Requested of j-2AXXXXXXGAPLF"
    )


def test_batch_of_different_kinds_is_rejected() -> None:
    mixed = {"Records": [{"body": REQUEST}, {"body": json.dumps(OBJECT_EVENT)}]}

    with pytest.raises(InvalidEventError, match="not EnforcementRequest"):
        parse_replayable(mixed)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps(CLUSTER_EVENT), ForCheckCluster),
        (failed(CLUSTER_EVENT), ForCheckCluster),
        (failed(event("recheck-requested")), ForCheckCluster),
        (json.dumps(OBJECT_EVENT), ForCheckLogObjects),
        (json.dumps(event("cloudtrail-update-object-encryption")), ForCheckLogObjects),
        (json.dumps(event("cloudtrail-delete-alias")), ForCheckKey),
        (failed(event("kms-imported-key-material-expiration")), ForCheckKey),
        (REQUEST, ForEnforce),
        (TO_REENCRYPT, ForReencrypt),
        (json.dumps(NOTIFICATION), ForSubscribers),
        (failed(event("sns-alert")), ForSubscribers),
        (json.dumps(event("import-findings-request")), ForImportFindings),
        (STREAM_BATCH, ForImportFindings),
    ],
)
def test_each_kind_of_dead_letter_is_recognized(body: str, kind: type) -> None:
    assert type(parse_dead_letter(body)) is kind


def test_body_of_a_queued_dead_letter_is_kept_verbatim() -> None:
    spaced = REQUEST.replace(",", " ,  ")

    what = parse_dead_letter(spaced)

    assert isinstance(what, ForEnforce)
    assert what.bodies == (spaced,)
    assert what.requests[0].cluster_arn == CLUSTER_ARN


def test_payload_of_a_failed_invocation_is_the_event() -> None:
    what = parse_dead_letter(failed(CLUSTER_EVENT))

    assert isinstance(what, ForCheckCluster)
    assert what.events == (CLUSTER_EVENT,)


def test_failed_alert_contains_the_function_that_failed() -> None:
    failure, undelivered = (failed(event("sns-alert")), json.dumps(NOTIFICATION))
    alerts = [parse_dead_letter(each) for each in (failure, undelivered)]

    assert [each.failed.split(":")[6:] for each in alerts if isinstance(each, ForSubscribers)] == [
        ["check", "$LATEST"],
        [],
    ]


@pytest.mark.parametrize(
    "payload",
    [json.loads(REQUEST), json.loads(TO_REENCRYPT), event("sqs-enforcement-request"), OBJECT_EVENT],
)
def test_failed_invocation_with_a_queue_message_is_rejected(payload: object) -> None:
    with pytest.raises(InvalidEventError, match="requestPayload"):
        parse_dead_letter(failed(payload))


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '"text"', failed([]), failed({})])
def test_unknown_dead_letter_is_rejected(body: str) -> None:
    with pytest.raises(InvalidEventError):
        parse_dead_letter(body)


@pytest.mark.parametrize(
    ("body", "attributes", "cause"),
    [
        ("{}", {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "no"}, "NO_PERMISSIONS: no"),
        ("{}", {"ERROR_CODE": "THROTTLING"}, "THROTTLING"),
        (failed({}, errorType="KeyError", errorMessage="'x'"), {}, "KeyError: 'x'"),
        (failed({}), {}, "RetriesExhausted"),
        (REQUEST, {}, None),
        (STREAM_BATCH, {}, "RetryAttemptsExhausted"),
        (
            json.dumps(event("import-findings-request")),
            {},
            "InvalidInput: Title is too long",
        ),
        ("{", {}, None),
    ],
)
def test_cause_of_a_dead_letter_is_extracted_if_present(
    body: str, attributes: dict[str, Any], cause: str | None
) -> None:
    assert cause_of(body, attributes) == cause
