import json
from typing import Any

import pytest

from emr_log_guard.domain.rescan import Folder, Rescan, Scope, Shard
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.rescan import RescanRequest, parse_finish, parse_plan, parse_shard
from tests.unit.builders import CLUSTER_ID, NOW

EXECUTION = "arn:aws:states:eu-west-1:111122223333:execution:emr-log-guard-rescan:1"
RUN: dict[str, Any] = {
    "execution": EXECUTION,
    "started": NOW.isoformat(),
    "scope": "all",
    "deep": True,
}
SHARD: dict[str, Any] = {
    "id": "objects-000001",
    "known": [],
    "clusters": [],
    "folder": {"cluster_id": CLUSTER_ID, "bucket": "logs", "prefix": "emr/"},
}
RESCAN = Rescan(execution=EXECUTION, started=NOW, deep=True)


@pytest.mark.parametrize(
    ("asked", "request_"),
    [
        ({}, RescanRequest(EXECUTION)),
        ({"scope": "clusters"}, RescanRequest(EXECUTION, Scope.CLUSTERS)),
        ({"scope": "log_objects", "deep": True}, RescanRequest(EXECUTION, Scope.LOG_OBJECTS, True)),  # noqa: FBT003
        (
            {"scope": "log_objects", "reencrypt": True, "cluster": CLUSTER_ID},
            RescanRequest(EXECUTION, Scope.LOG_OBJECTS, reencrypt=True, cluster=CLUSTER_ID),
        ),
    ],
)
def test_rescan_request_has_defaults(asked: dict[str, object], request_: RescanRequest) -> None:
    assert parse_plan({"execution": EXECUTION, "input": asked}) == request_


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"scope": "objects"}, "scope"),
        ({"deap": True}, "deap"),
        ({"deep": 1}, "deep"),
        ([], "input"),
        ({"scope": "log_objects", "cluster": "j-1/../"}, "cluster"),
        ({"reencrypt": True}, "scope log_objects"),
        ({"scope": "log_objects", "dry_run": True}, "dry_run takes reencrypt"),
        ({"scope": "clusters", "cluster": CLUSTER_ID}, "scope log_objects"),
    ],
)
def test_invalid_rescan_request_is_rejected_with_the_name_of_its_field(
    asked: object, field: str
) -> None:
    with pytest.raises(InvalidEventError, match=field):
        parse_plan({"execution": EXECUTION, "input": asked})


def test_shard_task_is_parsed_with_its_position() -> None:
    task = parse_shard({"rescan": RUN, "shard": SHARD, "after": "emr/a", "rest": {"after": "x"}})

    assert task.rescan == RESCAN
    assert task.shard == Shard(id="objects-000001", folder=Folder(CLUSTER_ID, "logs", "emr/"))
    assert (task.after, task.failed) == ("emr/a", None)


@pytest.mark.parametrize(
    ("cause", "notified"),
    [
        (
            json.dumps({"errorType": "NotReadableError", "errorMessage": "s3:ListBucket …"}),
            "NotReadableError: s3:ListBucket …",
        ),
        ("no json", "NotReadableError: no json"),
        ("[1]", "NotReadableError: [1]"),
        ("{}", "NotReadableError: {}"),
        ("", "NotReadableError"),
    ],
)
def test_failure_of_a_shard_is_summarized_in_one_line(cause: str, notified: str) -> None:
    failure = {"Error": "NotReadableError", "Cause": cause}

    assert parse_shard({"rescan": RUN, "shard": SHARD, "failure": failure}).failed == notified


def test_finish_request_is_parsed_or_rejected() -> None:
    assert parse_finish({"rescan": RUN}) == RESCAN
    with pytest.raises(InvalidEventError):
        parse_finish({})
