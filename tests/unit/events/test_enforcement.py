import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.enforcement import (
    encode_enforcement_request,
    parse_enforcement_request,
)
from tests.unit.builders import a_cluster

ARN = a_cluster().arn
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def a_request(**changes: object) -> str:
    request = {"schema": "emr-log-guard/enforcement/1", "cluster_arn": ARN, "log_objects": []}
    return json.dumps({n: v for n, v in (request | changes).items() if v is not None})


@given(st.builds(ObjectVersion, TEXT, TEXT, st.none() | TEXT))
def test_request_is_decoded_as_it_was_encoded(version: ObjectVersion) -> None:
    request = RequestEnforcement(ARN, (version,))

    assert parse_enforcement_request(encode_enforcement_request(request)) == request


def test_request_without_log_objects_is_accepted() -> None:
    assert parse_enforcement_request(a_request(log_objects=None)) == RequestEnforcement(ARN)


@pytest.mark.parametrize(
    "partition_and_region", ["aws:eu-west-1", "aws-cn:cn-north-1", "aws-us-gov:us-gov-west-1"]
)
def test_cluster_arn_of_every_partition_is_accepted(partition_and_region: str) -> None:
    partition, region = partition_and_region.split(":")
    arn = f"arn:{partition}:elasticmapreduce:{region}:111122223333:cluster/j-1A"

    assert parse_enforcement_request(a_request(cluster_arn=arn)).cluster_arn == arn


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (a_request(schema=None), "schema"),
        (a_request(schema="emr-log-guard/enforcement/2"), r"\$\.schema"),
        (a_request(cluster_arn=None), "cluster_arn"),
        (a_request(cluster_arn="j-2AXXXXXXGAPLF"), r"\$\.cluster_arn"),
        (a_request(cluster_arn=ARN.lower()), r"\$\.cluster_arn"),
        (a_request(cluster_arn=f"{ARN}\n"), r"\$\.cluster_arn"),
        (a_request(cluster_arn=f"{ARN}/x"), r"\$\.cluster_arn"),
        (a_request(cluster_arn=f" {ARN}"), r"\$\.cluster_arn"),
        (a_request(cluster_arn=ARN.replace("111122223333", "١١١١٢٢٢٢٣٣٣٣")), r"\$\.cluster_arn"),
        (a_request(cluster_arn=ARN.replace("elasticmapreduce", "s3")), r"\$\.cluster_arn"),
        (a_request(log_objects=5), r"\$\.log_objects"),
        (a_request(log_objects=[{"bucket": "b"}]), "key"),
        (a_request(log_objects=[{"key": "k"}]), "bucket"),
        (a_request(log_objects=[{"bucket": "b", "key": 1}]), r"\$\.log_objects\[0\]\.key"),
        (a_request(force=True), "force"),
        (a_request(log_objects=[{"bucket": "b", "key": "k", "force": True}]), "force"),
    ],
)
def test_invalid_request_is_rejected_with_the_name_of_its_field(body: str, field: str) -> None:
    with pytest.raises(InvalidEventError, match=f"not EnforcementRequest: .*{field}"):
        parse_enforcement_request(body)


@pytest.mark.parametrize("body", ["", "null", "[]", "j-2AXXXXXXGAPLF", "{", "\ud800"])
def test_body_that_is_not_a_request_is_rejected(body: str) -> None:
    with pytest.raises(InvalidEventError, match="not EnforcementRequest"):
        parse_enforcement_request(body)
