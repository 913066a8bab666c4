import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.emr import ClusterCheckRequest, parse_cluster_event

EVENT: dict[str, Any] = {
    "version": "0",
    "source": "aws.emr",
    "detail-type": "EMR Cluster State Change",
    "account": "111122223333",
    "region": "eu-west-1",
    "resources": [],
    "detail": {"clusterId": "j-2AXXXXXXGAPLF", "state": "STARTING", "name": "nightly-etl"},
}
HAPPENED = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


def an_event(**changes: object) -> dict[str, Any]:
    return deepcopy(EVENT) | {name.replace("_", "-"): value for name, value in changes.items()}


def about(cluster_id: object) -> dict[str, Any]:
    return an_event(detail={"clusterId": cluster_id, "state": "STARTING"})


def test_state_change_event_yields_a_check_of_its_cluster() -> None:
    assert parse_cluster_event(EVENT) == ClusterCheckRequest(
        "j-2AXXXXXXGAPLF", by_event=True, state="STARTING"
    )


def test_unknown_fields_are_ignored() -> None:
    event = an_event(trace="x", detail=about("j-1A")["detail"] | {"novelty": {"deep": [1]}})

    assert parse_cluster_event(event).cluster_id == "j-1A"


@pytest.mark.parametrize(
    "event",
    [None, [], "j-2AXXXXXXGAPLF", 7, {}, {"Records": []}],
    ids=["null", "list", "text", "number", "empty", "of another service"],
)
def test_value_that_is_not_an_event_is_rejected(event: object) -> None:
    with pytest.raises(InvalidEventError, match="not ClusterEvent"):
        parse_cluster_event(event)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (an_event(source="my.emr"), r"\$\.source"),
        (an_event(source=None), r"\$\.source"),
        (an_event(detail_type="EMR Instance Group State Change"), r"\$\.detail-type"),
        (an_event(detail=None), r"\$\.detail"),
        (an_event(detail={}), "clusterId"),
        (about(None), r"\$\.detail\.clusterId"),
        (about(["j-1A"]), r"\$\.detail\.clusterId"),
        (an_event(detail={"clusterId": "j-1A"}), "state"),
        ({name: value for name, value in EVENT.items() if name != "source"}, "source"),
        ({name: value for name, value in EVENT.items() if name != "detail-type"}, "detail-type"),
        ({name: value for name, value in EVENT.items() if name != "detail"}, "detail"),
    ],
)
def test_forged_or_malformed_event_is_rejected_with_the_name_of_its_field(
    event: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidEventError, match=field):
        parse_cluster_event(event)


@pytest.mark.parametrize(
    "cluster_id",
    [
        "",
        "j-",
        "j-abc",
        "J-ABC",
        "j-ABC ",
        " j-ABC",
        "j-ABC\n",
        "j-ABC\nj-DEF",
        "j-ABC/../j-DEF",
        "j-ÄÖÜ",
        "j-٣٤٥",
        "*",
        "arn:aws:elasticmapreduce:eu-west-1:111122223333:cluster/j-ABC",
    ],
)
def test_invalid_cluster_id_is_rejected(cluster_id: str) -> None:
    with pytest.raises(InvalidEventError, match=r"\$\.detail\.clusterId"):
        parse_cluster_event(about(cluster_id))


FILES = Path(__file__).resolve().parents[3] / "events"
JANE = "arn:aws:sts::111122223333:assumed-role/DataPlatform/jane"


def sent(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((FILES / f"{name}.json").read_text())
    return event


def sent_with(name: str, **detail: object) -> dict[str, Any]:
    event = sent(name)
    return event | {"detail": event["detail"] | detail}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("emr-cluster-state-change-starting", {"by_event": True, "state": "STARTING"}),
        ("emr-step-status-change-pending", {"by_event": True, "step_ids": ("s-1AXXXXXXGAPLF",)}),
        ("cloudtrail-run-job-flow", {"by_event": True, "launched_by": JANE}),
        ("recheck-requested", {"force_refresh": True}),
    ],
)
def test_each_kind_of_event_yields_a_check_with_what_it_contains(
    name: str, says: dict[str, Any]
) -> None:
    request = ClusterCheckRequest("j-2AXXXXXXGAPLF", at=HAPPENED, **says)

    assert parse_cluster_event(sent(name)) == request


@pytest.mark.parametrize("step_id", [None, "", "s-", "s-abc", "s-1\n", 7])
def test_invalid_step_id_is_rejected(step_id: object) -> None:
    with pytest.raises(InvalidEventError, match=r"\$\.detail\.stepId"):
        parse_cluster_event(sent_with("emr-step-status-change-pending", stepId=step_id))


@pytest.mark.parametrize("time", ["", "yesterday", "2026-03-14T15:09:26", 1773500966])
def test_invalid_time_is_rejected(time: object) -> None:
    with pytest.raises(InvalidEventError, match=r"\$\.time"):
        parse_cluster_event(sent("recheck-requested") | {"time": time})


@pytest.mark.parametrize("source", ["aws.emr", "aws.elasticmapreduce"])
def test_launch_event_is_accepted_from_either_source_of_emr(source: str) -> None:
    request = parse_cluster_event(sent("cloudtrail-run-job-flow") | {"source": source})

    assert request.launched_by == JANE


@pytest.mark.parametrize("identity", [{}, {"invokedBy": "emr.amazonaws.com"}, {"arn": None}])
def test_launcher_without_an_arn_is_ignored(identity: dict[str, object]) -> None:
    event = sent_with("cloudtrail-run-job-flow", userIdentity=identity)

    assert parse_cluster_event(event).launched_by is None


LAUNCH, RECHECK = "cloudtrail-run-job-flow", "recheck-requested"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (sent(f"{LAUNCH}-failed"), r"\$\.detail\.errorCode"),
        (sent_with(LAUNCH, responseElements=None), r"\$\.detail\.responseElements"),
        (sent_with(LAUNCH, errorCode="AccessDenied"), r"\$\.detail\.errorCode"),
        (sent_with(LAUNCH, responseElements={}), "jobFlowId"),
        (sent_with(LAUNCH, responseElements={"jobFlowId": "j-x"}), r"responseElements\.jobFlowId"),
        (sent_with(LAUNCH, eventName="AddJobFlowSteps"), r"\$\.detail\.eventName"),
        (sent_with(LAUNCH, eventSource="kms.amazonaws.com"), r"\$\.detail\.eventSource"),
        (sent_with(LAUNCH, userIdentity={"arn": 7}), r"\$\.detail\.userIdentity\.arn"),
        (sent(LAUNCH) | {"source": "my.trail"}, r"\$\.source"),
        (sent(RECHECK) | {"source": "aws.emr"}, r"\$\.source"),
        (sent(RECHECK) | {"detail": {"stack": "emr-log-guard"}}, "cluster_id"),
        (sent(RECHECK) | {"detail": {"cluster_id": "j-2AXXXXXXGAPLF"}}, "stack"),
        (sent_with(RECHECK, stack=""), r"\$\.detail\.stack"),
        (sent_with(RECHECK, cluster_id="nightly-etl"), r"\$\.detail\.cluster_id"),
        (sent_with(RECHECK, reason="curious"), "unknown field `reason`"),
    ],
)
def test_invalid_launch_or_request_is_rejected_with_the_name_of_its_field(
    event: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidEventError, match=field):
        parse_cluster_event(event)


@pytest.mark.parametrize(
    "arn", ["arn:aws-cn:s3:::example-logs", "arn:aws:s3:::Legacy_Bucket.of-us-east-1"]
)
def test_recheck_request_may_name_a_log_bucket(arn: str) -> None:
    event = sent(RECHECK)
    event["detail"] = {"stack": "emr-log-guard", "bucket_arn": arn}

    request = parse_cluster_event(event)

    assert (request.cluster_id, request.about_bucket) == (arn, True)
    assert request.force_refresh


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"cluster_id": "j-1A", "bucket_arn": "arn:aws:s3:::example-logs"},
        {"bucket_arn": "arn:aws:s3:::example-logs/key"},
        {"bucket_arn": "example-logs"},
    ],
)
def test_recheck_request_without_exactly_one_valid_subject_is_rejected(
    named: dict[str, str],
) -> None:
    event = sent(RECHECK)
    event["detail"] = {"stack": "emr-log-guard", **named}

    with pytest.raises(InvalidEventError, match="RecheckRequest"):
        parse_cluster_event(event)
