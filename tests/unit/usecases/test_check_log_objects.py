import json

import pytest

from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.decide import Alert, NextStep
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.policy import Enforcement, Policy
from emr_log_guard.errors import InvalidEventError
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    REGION,
    UNREADABLE,
    a_cluster,
    encrypted,
)
from tests.unit.fakes import GONE
from tests.unit.usecases.world import World

SSE_S3 = encrypted("AES256")
OTHER_ID = "j-3BYYYYYYHBQMG"
OTHER = a_cluster(id=OTHER_ID, arn=a_cluster().arn.replace(CLUSTER_ID, OTHER_ID), name="other")
OBJECTS_ENFORCED = Policy(
    Mode.ENFORCE, enforcement=Enforcement(frozenset({"EMRLOG-101", "EMRLOG-103"}), allowed=True)
)


def created(key: str, *, bucket: str = "example-logs", region: str = REGION) -> str:
    return json.dumps(
        {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "account": ACCOUNT,
            "region": region,
            "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
        }
    )


def check(world: World, *bodies: str) -> list[Alert]:
    use_case = world.check_log_objects
    read = [use_case.read(body) for body in bodies]
    use_case.judge([found for found in read if found is not None])
    return world.alerts.published


def by_rule(alert: Alert) -> dict[str, Finding]:
    return {finding.rule_id: finding for finding in alert.findings}


def test_a_good_log_object_is_left_in_peace(world: World) -> None:
    assert check(world, created(f"emr/{CLUSTER_ID}/a")) == []
    assert world.keys.asked == [KEY.arn]


def test_objects_of_two_clusters_make_two_alerts(world: World) -> None:
    world.clusters.known[OTHER_ID] = OTHER
    keys = [f"emr/{cluster}/{n}" for n in (1, 2) for cluster in (CLUSTER_ID, OTHER_ID)]
    world.objects.heads = dict.fromkeys(keys, SSE_S3)

    alerts = check(world, *map(created, keys))

    assert [alert.cluster_name for alert in alerts] == ["nightly-etl", "other"]
    assert [alert.findings[0].occurrences for alert in alerts] == [2, 2]


def test_a_hundred_bad_objects_of_a_cluster_make_one_finding(world: World) -> None:
    keys = [f"emr/{CLUSTER_ID}/{n}" for n in range(100)]
    world.objects.heads = dict.fromkeys(keys, SSE_S3)

    (alert,) = check(world, *map(created, keys))

    (finding,) = alert.findings
    assert (finding.rule_id, finding.occurrences) == ("EMRLOG-101", 100)
    assert finding.evidence["samples"] == tuple(f"s3://example-logs/{key}" for key in keys[:5])


def test_later_batches_add_up_and_are_no_news(world: World) -> None:
    keys = [f"emr/{CLUSTER_ID}/{n}" for n in range(6)]
    world.objects.heads = dict.fromkeys(keys, SSE_S3)
    for key in keys:
        check(world, created(key))
    check(world, created(f"emr/{CLUSTER_ID}/good"))

    finding = world.ledger.read(CLUSTER_ID).entries["EMRLOG-101"].finding
    assert [alert.kind for alert in world.alerts.published] == ["finding.opened"]
    assert (finding.status, finding.occurrences) == ("OPEN", 6)
    assert finding.evidence["samples"] == tuple(f"s3://example-logs/{key}" for key in keys[:5])


def test_a_batch_of_good_objects_asks_nothing_of_the_ledger(world: World) -> None:
    check(world, created(f"emr/{CLUSTER_ID}/good"))

    assert world.table.counts == {}


def test_every_kind_of_wrong_encryption_is_in_the_one_alert(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    a, b = f"emr/{CLUSTER_ID}/a", f"emr/{CLUSTER_ID}/b"
    world.objects.heads = {a: SSE_S3, b: encrypted("aws:kms", ANOTHER_KEY.arn)}

    (alert,) = check(world, created(a), created(b))

    assert set(by_rule(alert)) == {"EMRLOG-101", "EMRLOG-103"}


@pytest.mark.parametrize(
    ("key", "bucket"),
    [
        ("emr/readme.txt", "example-logs"),
        (f"elsewhere/{CLUSTER_ID}/a", "example-logs"),
        (f"emr/{CLUSTER_ID}/a", "another-bucket"),
        (f"emr/{CLUSTER_ID.lower()}/a", "example-logs"),
        (f"emr/{CLUSTER_ID}", "example-logs"),
    ],
)
def test_an_object_elsewhere_is_no_log(world: World, key: str, bucket: str) -> None:
    assert check(world, created(key, bucket=bucket)) == []
    assert world.objects.asked == []


def test_a_cluster_without_logs_has_no_log_objects(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(log_uri=None)}

    assert check(world, created(f"emr/{CLUSTER_ID}/a")) == []


def test_the_log_of_an_unknown_cluster_is_judged_by_its_encryption(world: World) -> None:
    world.policy = OBJECTS_ENFORCED
    a, b = f"x/{OTHER_ID}/a", f"x/{OTHER_ID}/b"
    world.objects.heads = {a: SSE_S3}

    (alert,) = check(world, created(a), created(b))

    found = by_rule(alert)
    assert found["EMRLOG-101"].compliance is Compliance.NON_COMPLIANT
    assert found["EMRLOG-103"].compliance is Compliance.INSUFFICIENT_DATA
    assert "DescribeCluster answered: Cluster id" in found["EMRLOG-103"].summary
    assert alert.next_step is NextStep.NOTHING_ENFORCED
    assert world.queue.sent == []


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_an_unknown_clusters_arn_is_of_its_regions_partition(
    world: World, region: str, partition: str
) -> None:
    key = f"x/{OTHER_ID}/a"
    world.objects.heads = {key: SSE_S3}

    (alert,) = check(world, created(key, region=region))

    assert alert.cluster_arn == (
        f"arn:{partition}:elasticmapreduce:{region}:{ACCOUNT}:cluster/{OTHER_ID}"
    )


@pytest.mark.parametrize(
    ("key", "log_uri"),
    [
        (f"emr/{OTHER_ID}/{CLUSTER_ID}/a", f"s3://example-logs/emr/{OTHER_ID}/"),
        (f"emr/{CLUSTER_ID}/{OTHER_ID}/a", "s3://example-logs/emr/"),
    ],
)
def test_in_nested_folders_the_cluster_whose_log_uri_holds_the_object_owns_it(
    world: World, key: str, log_uri: str
) -> None:
    elsewhere = a_cluster(id=OTHER_ID, arn=OTHER.arn, log_uri="s3://another-bucket/")
    world.clusters.known = {CLUSTER_ID: a_cluster(log_uri=log_uri), OTHER_ID: elsewhere}
    world.objects.heads = {key: SSE_S3}

    (alert,) = check(world, created(key))

    assert alert.cluster_arn.endswith(CLUSTER_ID)


def test_a_log_uri_that_cannot_be_read_is_doubt(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(log_uri="hdfs:///logs")}

    (alert,) = check(world, created(f"emr/{CLUSTER_ID}/a"))

    (finding,) = alert.findings
    assert finding.compliance is Compliance.INSUFFICIENT_DATA
    assert "the log URI 'hdfs:///logs' of j-2AXXXXXXGAPLF cannot be read" in finding.summary


def test_an_object_that_is_gone_is_no_ones_fault(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.objects.heads = {f"emr/{CLUSTER_ID}/a": GONE}

    assert check(world, created(f"emr/{CLUSTER_ID}/a")) == []
    assert "log object is gone" in caplog.text


def test_an_object_that_cannot_be_read_is_told_about_and_terminates_nothing(world: World) -> None:
    world.policy = OBJECTS_ENFORCED
    world.objects.heads = {f"emr/{CLUSTER_ID}/a": UNREADABLE}

    (alert,) = check(world, created(f"emr/{CLUSTER_ID}/a"))

    assert [f.compliance for f in alert.findings] == [Compliance.INSUFFICIENT_DATA]
    assert world.queue.sent == []


def test_what_is_no_event_flies(world: World) -> None:
    with pytest.raises(InvalidEventError):
        world.check_log_objects.read("{}")


def test_a_request_names_the_objects_that_count_and_no_more_than_enough(world: World) -> None:
    world.policy = Policy(
        Mode.ENFORCE, enforcement=Enforcement(frozenset({"EMRLOG-103"}), allowed=True)
    )
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    others = {f"emr/{CLUSTER_ID}/a{n}": SSE_S3 for n in range(30)}
    counting = {f"emr/{CLUSTER_ID}/b{n}": encrypted("aws:kms", ANOTHER_KEY.arn) for n in range(30)}
    world.objects.heads = others | counting

    check(world, *map(created, world.objects.heads))

    (request,) = world.queue.sent
    assert [version.key for version in request.log_objects] == list(counting)[:20]
