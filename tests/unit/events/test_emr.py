from copy import deepcopy
from typing import Any

import pytest

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.emr import parse_cluster_event

EVENT: dict[str, Any] = {
    "version": "0",
    "source": "aws.emr",
    "detail-type": "EMR Cluster State Change",
    "account": "111122223333",
    "region": "eu-west-1",
    "resources": [],
    "detail": {"clusterId": "j-2AXXXXXXGAPLF", "state": "STARTING", "name": "nightly-etl"},
}


def an_event(**changes: object) -> dict[str, Any]:
    return deepcopy(EVENT) | {name.replace("_", "-"): value for name, value in changes.items()}


def about(cluster_id: object) -> dict[str, Any]:
    return an_event(detail={"clusterId": cluster_id})


def test_the_event_names_its_cluster() -> None:
    assert parse_cluster_event(EVENT) == "j-2AXXXXXXGAPLF"


def test_fields_that_aws_adds_are_ignored() -> None:
    event = an_event(trace="x", detail={"clusterId": "j-1A", "novelty": {"deep": [1]}})

    assert parse_cluster_event(event) == "j-1A"


@pytest.mark.parametrize(
    "event",
    [None, [], "j-2AXXXXXXGAPLF", 7, {}, {"Records": []}],
    ids=["null", "list", "text", "number", "empty", "of another service"],
)
def test_what_is_no_event_is_refused(event: object) -> None:
    with pytest.raises(InvalidEventError, match="not ClusterStateChange"):
        parse_cluster_event(event)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (an_event(source="my.emr"), r"\$\.source"),
        (an_event(source=None), r"\$\.source"),
        (an_event(detail_type="EMR Step Status Change"), r"\$\.detail-type"),
        (an_event(detail=None), r"\$\.detail"),
        (an_event(detail={}), "clusterId"),
        (about(None), r"\$\.detail\.clusterId"),
        (about(["j-1A"]), r"\$\.detail\.clusterId"),
        ({name: value for name, value in EVENT.items() if name != "source"}, "source"),
        ({name: value for name, value in EVENT.items() if name != "detail-type"}, "detail-type"),
        ({name: value for name, value in EVENT.items() if name != "detail"}, "detail"),
    ],
)
def test_a_forged_or_malformed_event_is_refused_by_the_name_of_its_field(
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
def test_a_cluster_id_that_emr_would_not_give_is_refused(cluster_id: str) -> None:
    with pytest.raises(InvalidEventError, match=r"\$\.detail\.clusterId"):
        parse_cluster_event(about(cluster_id))
