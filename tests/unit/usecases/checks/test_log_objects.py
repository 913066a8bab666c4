import json
from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.domain.clusters import Step
from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.decide import Alert, NextStep
from emr_log_guard.domain.finding_record import OBJECTS
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.keys import KmsKey
from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
from emr_log_guard.domain.policy import Enforcement, Policy
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.log_objects import LogObjectCheckRequest, encode_recheck
from emr_log_guard.observability import metrics, record_open
from emr_log_guard.rules.emrlog_103_log_object_cluster_key import RULE as RULE_103
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.checks.review import ReviewFindings
from emr_log_guard.usecases.evaluate import evaluate_log_objects
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    AWS_MANAGED,
    CLUSTER_ID,
    KEY,
    NOW,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    a_policy,
    an_exemption,
    encrypted,
    key_arn,
)
from tests.unit.fakes import NOT_FOUND, FakeRechecks
from tests.unit.usecases.world import World, created

SSE_S3 = encrypted("AES256")
OTHER_ID = "j-3BYYYYYYHBQMG"
OTHER = a_cluster(id=OTHER_ID, arn=a_cluster().arn.replace(CLUSTER_ID, OTHER_ID), name="other")
OBJECTS_ENFORCED = Policy(
    Mode.ENFORCE, enforcement=Enforcement(frozenset({"EMRLOG-101", "EMRLOG-103"}), allowed=True)
)


def check(world: World, *bodies: str) -> list[Alert]:
    use_case = world.check_log_objects
    read = [use_case.read(body) for body in bodies]
    use_case.check([found for found in read if found is not None])
    return world.alerts.published


def by_rule(alert: Alert) -> dict[str, Finding]:
    return {finding.rule_id: finding for finding in alert.findings}


def test_compliant_log_object_leads_to_no_action(world: World) -> None:
    assert check(world, created(f"emr/{CLUSTER_ID}/a")) == []
    assert world.keys.asked == [KEY.arn]


def test_objects_of_two_clusters_cause_two_alerts(world: World) -> None:
    world.clusters.known[OTHER_ID] = OTHER
    keys = [f"emr/{cluster}/{n}" for n in (1, 2) for cluster in (CLUSTER_ID, OTHER_ID)]
    world.objects.heads = dict.fromkeys(keys, SSE_S3)

    alerts = check(world, *map(created, keys))

    assert [alert.cluster_name for alert in alerts] == ["nightly-etl", "other"]
    assert [alert.findings[0].occurrences for alert in alerts] == [2, 2]


def test_hundred_violating_objects_of_a_cluster_cause_one_finding(world: World) -> None:
    keys = [f"emr/{CLUSTER_ID}/{n}" for n in range(100)]
    world.objects.heads = dict.fromkeys(keys, SSE_S3)

    (alert,) = check(world, *map(created, keys))

    (finding,) = alert.findings
    assert (finding.rule_id, finding.occurrences) == ("EMRLOG-101", 100)
    assert finding.evidence["samples"] == tuple(f"s3://example-logs/{key}" for key in keys[:5])


def test_later_batches_add_to_the_count_and_cause_no_further_alert(world: World) -> None:
    keys = [f"emr/{CLUSTER_ID}/{n}" for n in range(6)]
    world.objects.heads = dict.fromkeys(keys, SSE_S3)
    for key in keys:
        check(world, created(key))
    check(world, created(f"emr/{CLUSTER_ID}/good"))

    finding = world.repository.read(CLUSTER_ID).records["EMRLOG-101"].finding
    assert [alert.kind for alert in world.alerts.published] == ["finding.opened"]
    assert (finding.status, finding.occurrences) == ("OPEN", 6)
    assert finding.evidence["samples"] == tuple(f"s3://example-logs/{key}" for key in keys[:5])


def test_batch_is_counted_once_although_one_of_its_writes_lost_a_race(
    world: World,
) -> None:
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    plain = [f"emr/{CLUSTER_ID}/{n}" for n in range(OBJECTS + 5)]
    foreign = [f"emr/{CLUSTER_ID}/foreign-{n}" for n in range(2)]
    world.objects.heads = {
        **dict.fromkeys(plain, SSE_S3),
        **dict.fromkeys(foreign, encrypted("aws:kms", ANOTHER_KEY.arn)),
    }
    check(world, *map(created, (*plain[:OBJECTS], foreign[0])))
    world.table.before_put = [
        lambda: world.repository.write(world.records["EMRLOG-103"]),
        lambda: None,
    ]

    check(world, *map(created, (*plain[OBJECTS:], foreign[1])))

    assert world.table.before_put == []
    counts = {rule_id: record.finding.occurrences for rule_id, record in world.records.items()}
    assert counts == {"EMRLOG-101": len(plain), "EMRLOG-103": len(foreign)}


def test_batch_delivered_again_changes_nothing(world: World) -> None:
    keys = [f"emr/{CLUSTER_ID}/{n}" for n in range(3)]
    world.objects.heads = dict.fromkeys(keys, SSE_S3)
    check(world, *map(created, keys))
    records = world.records
    world.table.calls.clear()
    world.passes(hours=1)

    check(world, *map(created, keys))

    assert world.records == records
    assert "PutItem" not in world.table.counts


def test_object_named_twice_in_a_batch_is_counted_once(world: World) -> None:
    key = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {key: SSE_S3}

    check(world, created(key), created(key))

    record = world.records["EMRLOG-101"]
    assert record.finding.occurrences == 1
    assert [version.key for version in record.objects] == [key]


def test_batch_of_compliant_objects_does_not_use_the_table(world: World) -> None:
    check(world, created(f"emr/{CLUSTER_ID}/good"))

    assert world.table.counts == {}


def test_different_violations_of_a_batch_are_in_one_alert(world: World) -> None:
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
def test_object_outside_the_folder_of_a_cluster_is_ignored(
    world: World, key: str, bucket: str
) -> None:
    assert check(world, created(key, bucket=bucket)) == []
    assert world.objects.asked == []


def test_object_of_a_cluster_without_a_log_uri_is_ignored(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(log_uri=None)}

    assert check(world, created(f"emr/{CLUSTER_ID}/a")) == []


def test_log_of_an_unknown_cluster_is_evaluated_by_its_encryption_and_not_enforced(
    world: World,
) -> None:
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
def test_arn_of_an_unknown_cluster_is_in_the_partition_of_its_region(
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
def test_object_in_nested_folders_belongs_to_the_cluster_whose_log_uri_contains_it(
    world: World, key: str, log_uri: str
) -> None:
    elsewhere = a_cluster(id=OTHER_ID, arn=OTHER.arn, log_uri="s3://another-bucket/")
    world.clusters.known = {CLUSTER_ID: a_cluster(log_uri=log_uri), OTHER_ID: elsewhere}
    world.objects.heads = {key: SSE_S3}

    (alert,) = check(world, created(key))

    assert alert.cluster_arn.endswith(CLUSTER_ID)


ALIAS = "emr-logs-ap-abcdefghijklmnopqrstuvwxyz012345-s3alias"
UNKNOWN_BUCKETS = [
    ("hdfs:///logs", "the log URI 'hdfs:///logs' cannot be parsed"),
    (f"s3n://{ALIAS}/logs/", "names an access point, not its bucket"),
    ("s3://emr-logs--ol-s3/logs/", "names an access point, not its bucket"),
    ("s3://mfzwi23gnjvgw.mrap/", "names an access point, not its bucket"),
]


@pytest.mark.parametrize(("log_uri", "reason"), UNKNOWN_BUCKETS)
@pytest.mark.parametrize("prefix", ["", "logs/", "emr/"])
@pytest.mark.parametrize("of_step", [False, True])
def test_object_of_a_cluster_with_an_unknown_log_bucket_is_undetermined(
    world: World, log_uri: str, reason: str, prefix: str, *, of_step: bool
) -> None:
    world.policy = OBJECTS_ENFORCED
    own = "s3://elsewhere/" if of_step else log_uri
    world.clusters.known = {CLUSTER_ID: a_cluster(log_uri=own)}
    world.clusters.listed = (Step("s-1", "load", log_uri=log_uri),) if of_step else ()
    key = f"{prefix}{CLUSTER_ID}/node/i-0abcdef1234567890/x.gz"
    world.objects.heads = {key: SSE_S3}

    (alert,) = check(world, created(key, bucket="amzn-s3-demo-emr-logs"))

    (finding,) = alert.findings
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-101", "INSUFFICIENT_DATA")
    assert reason in finding.summary
    assert finding.cluster_name == "nightly-etl"
    assert alert.next_step is NextStep.NOTHING_ENFORCED
    assert world.queue.sent == []


def test_log_under_the_log_uri_is_evaluated_although_the_log_bucket_of_a_step_is_unknown(
    world: World,
) -> None:
    world.clusters.listed = (Step("s-1", "load", log_uri=f"s3://{ALIAS}/"),)
    key = f"emr/{CLUSTER_ID}/node/i-1/x.gz"
    world.objects.heads = {key: SSE_S3}

    (alert,) = check(world, created(key))

    assert by_rule(alert)["EMRLOG-101"].compliance is Compliance.NON_COMPLIANT


@pytest.mark.parametrize(
    ("others", "expected"), [((), ACCOUNT), ((ACCOUNT,), ACCOUNT), (("444455556666",), None)]
)
def test_bucket_owner_is_expected_when_only_one_account_may_own_it(
    world: World, others: tuple[str, ...], expected: str | None
) -> None:
    world.policy = replace(world.policy, log_bucket_owners=others)

    assert check(world, created(f"emr/{CLUSTER_ID}/a")) == []
    assert world.objects.owners == {expected}


def test_no_bucket_owner_is_expected_for_the_log_of_an_unknown_cluster(world: World) -> None:
    check(world, created(f"x/{OTHER_ID}/a"))

    assert world.objects.owners == {None}


@pytest.mark.parametrize("marker", ["", "node/", "node_$folder$"])
def test_folder_marker_is_ignored(world: World, marker: str) -> None:
    key = f"emr/{CLUSTER_ID}/{marker}"
    world.objects.heads = {key: SSE_S3}

    assert check(world, created(key)) == []
    assert world.objects.asked == []
    assert world.clusters.asked == []


def test_deleted_object_is_logged_and_causes_no_finding(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.objects.heads = {f"emr/{CLUSTER_ID}/a": NOT_FOUND}

    assert check(world, created(f"emr/{CLUSTER_ID}/a")) == []
    assert "log object not found" in caplog.text


def test_unreadable_object_causes_an_alert_and_no_termination(world: World) -> None:
    world.policy = OBJECTS_ENFORCED
    world.objects.heads = {f"emr/{CLUSTER_ID}/a": UNREADABLE}

    (alert,) = check(world, created(f"emr/{CLUSTER_ID}/a"))

    assert [f.compliance for f in alert.findings] == [Compliance.INSUFFICIENT_DATA]
    assert world.queue.sent == []


def test_invalid_event_raises_invalid_event_error(world: World) -> None:
    with pytest.raises(InvalidEventError):
        world.check_log_objects.read("{}")


def test_enforcement_request_names_a_limited_number_of_enforceable_objects(world: World) -> None:
    world.policy = Policy(
        Mode.ENFORCE,
        enforcement=Enforcement(
            frozenset({"EMRLOG-103"}), allowed=True, grace_running=timedelta(0)
        ),
    )
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    others = {f"emr/{CLUSTER_ID}/a{n}": SSE_S3 for n in range(30)}
    counting = {f"emr/{CLUSTER_ID}/b{n}": encrypted("aws:kms", ANOTHER_KEY.arn) for n in range(30)}
    world.objects.heads = others | counting

    check(world, *map(created, world.objects.heads))

    (request,) = world.queue.sent
    assert [version.key for version in request.log_objects] == list(counting)[:10]


STEP_LOG = f"emr/{CLUSTER_ID}/steps/s-1/stderr.gz"
NODE_LOG = f"emr/{CLUSTER_ID}/node/i-1/a.gz"
CONTAINER_LOG = f"emr/{CLUSTER_ID}/containers/application_1/a.gz"
STEP = Step("s-1", "load", None, ANOTHER_KEY.arn)
ELSEWHERE = Step("s-1", "load", "s3://step-logs/x", ANOTHER_KEY.arn)
THIRD_KEY = a_key(arn=key_arn("aaaaaaaa-09fe-87dc-65ba-ab0987654321"))
LISTING_FAILED = Unresolved("elasticmapreduce:ListSteps answered ThrottlingException")


def carrying(world: World, key: str, kms_key: KmsKey, *, bucket: str = "example-logs") -> Finding:
    """Have one object checked by EMRLOG-103."""
    known = (KEY, ANOTHER_KEY, THIRD_KEY)
    world.keys.facts = {each.arn: each for each in known} | dict(world.keys.facts)
    world.objects.heads = {key: encrypted("aws:kms", kms_key.arn)}
    read = world.check_log_objects.read(created(key, bucket=bucket))
    assert read is not None
    assert read.facts is not None
    context = EvaluationContext(world.policy, NOW, str, lambda rule: rule == RULE_103)
    (result,) = evaluate_log_objects(Subject.of(a_cluster()), [read.facts], context)
    return result.finding


@pytest.mark.parametrize("key", [STEP_LOG, CONTAINER_LOG, NODE_LOG])
def test_log_with_the_cluster_key_does_not_read_steps(world: World, key: str) -> None:
    world.clusters.listed = (STEP,)

    assert carrying(world, key, KEY).compliance is Compliance.COMPLIANT
    assert world.clusters.steps_asked == []


@pytest.mark.parametrize("head", [SSE_S3, encrypted("aws:kms", AWS_MANAGED.arn), UNREADABLE])
def test_log_without_a_customer_managed_key_does_not_read_steps(
    world: World, head: Encryption | Unresolved
) -> None:
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    world.objects.heads = {STEP_LOG: head}

    check(world, created(STEP_LOG))

    assert world.clusters.steps_asked == []


@pytest.mark.parametrize("key", [STEP_LOG, CONTAINER_LOG])
def test_log_with_the_key_of_its_step_complies(world: World, key: str) -> None:
    world.clusters.listed = (STEP,)

    finding = carrying(world, key, ANOTHER_KEY)

    assert finding.compliance is Compliance.COMPLIANT
    assert "is encrypted with its step s-1's key" in finding.summary
    assert world.clusters.steps_asked == [CLUSTER_ID]


@pytest.mark.parametrize(
    ("key", "carried", "expected"),
    [
        (STEP_LOG, THIRD_KEY, f"its step s-1 names {ANOTHER_KEY.arn}"),
        (STEP_LOG.replace("s-1", "s-2"), ANOTHER_KEY, f"its cluster names {KEY.arn}"),
        (NODE_LOG, ANOTHER_KEY, f"its cluster names {KEY.arn}"),
        (CONTAINER_LOG, THIRD_KEY, f"its cluster names {KEY.arn}"),
    ],
    ids=["an unknown key", "another step's", "a step's, on a node's log", "on a container's"],
)
def test_log_with_a_key_other_than_that_of_its_cluster_or_step_does_not_comply(
    world: World, key: str, carried: KmsKey, expected: str
) -> None:
    world.clusters.listed = (STEP,)

    finding = carrying(world, key, carried)

    assert finding.compliance is Compliance.NON_COMPLIANT
    assert expected in finding.summary


@pytest.mark.parametrize("rest", ["steps/s-1/stderr.gz", "containers/a.gz", "steps/s-9/a.gz"])
@pytest.mark.parametrize(
    ("carried", "compliance"),
    [(ANOTHER_KEY, Compliance.COMPLIANT), (KEY, Compliance.NON_COMPLIANT)],
)
def test_log_under_the_log_uri_of_a_step_must_have_the_key_of_the_step(
    world: World, rest: str, carried: KmsKey, compliance: Compliance
) -> None:
    world.clusters.listed = (ELSEWHERE,)

    finding = carrying(world, f"x/{CLUSTER_ID}/{rest}", carried, bucket="step-logs")

    assert finding.compliance is compliance
    assert "step s-1" in finding.summary


@pytest.mark.parametrize("key_of_cluster", [KEY.arn, None])
def test_log_uri_of_a_step_without_a_key_uses_the_cluster_key(
    world: World, key_of_cluster: str | None
) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(log_uri=None, log_key_identifier=key_of_cluster)}
    world.clusters.listed = (Step("s-1", "load", "s3://step-logs/x/"),)

    finding = carrying(world, f"x/{CLUSTER_ID}/steps/s-1/a", ANOTHER_KEY, bucket="step-logs")

    assert finding.compliance is (
        Compliance.NON_COMPLIANT if key_of_cluster else Compliance.NOT_APPLICABLE
    )


def test_key_of_a_step_with_another_log_uri_does_not_comply_under_the_cluster_log_uri(
    world: World,
) -> None:
    world.clusters.listed = (ELSEWHERE,)

    assert carrying(world, STEP_LOG, ANOTHER_KEY).compliance is Compliance.NON_COMPLIANT


@pytest.mark.parametrize(
    ("key", "compliance"),
    [
        (STEP_LOG, Compliance.NON_COMPLIANT),
        (CONTAINER_LOG, Compliance.NOT_APPLICABLE),
        (NODE_LOG, Compliance.NOT_APPLICABLE),
    ],
)
def test_only_step_logs_can_violate_the_rule_when_the_cluster_has_no_key(
    world: World, key: str, compliance: Compliance
) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(log_key_identifier=None)}
    world.clusters.listed = (STEP,)

    assert carrying(world, key, THIRD_KEY).compliance is compliance


@pytest.mark.parametrize("key", [STEP_LOG, CONTAINER_LOG])
def test_log_of_a_step_with_an_unreadable_key_is_undetermined(world: World, key: str) -> None:
    world.clusters.listed = (STEP,)
    world.keys.facts = {ANOTHER_KEY.arn: UNREADABLE}

    finding = carrying(world, key, THIRD_KEY)

    assert (finding.compliance, finding.summary) == (
        Compliance.INSUFFICIENT_DATA,
        UNREADABLE.reason,
    )


def test_log_with_the_key_of_a_step_complies_although_the_cluster_key_is_unreadable(
    world: World,
) -> None:
    world.clusters.listed = (STEP,)
    world.keys.facts = {KEY.arn: UNREADABLE}

    assert carrying(world, CONTAINER_LOG, ANOTHER_KEY).compliance is Compliance.COMPLIANT


def test_log_with_another_key_is_undetermined_when_steps_cannot_be_listed(world: World) -> None:
    world.policy = OBJECTS_ENFORCED
    world.clusters.listed = LISTING_FAILED
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    world.objects.heads = {STEP_LOG: encrypted("aws:kms", ANOTHER_KEY.arn)}

    (alert,) = check(world, created(STEP_LOG))

    (finding,) = alert.findings
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-103", Compliance.INSUFFICIENT_DATA)
    assert finding.summary == LISTING_FAILED.reason
    assert world.queue.sent == []


@pytest.mark.parametrize("first", [0, 1])
def test_object_outside_the_log_uri_is_undetermined_when_steps_cannot_be_listed(
    world: World, first: int
) -> None:
    world.policy = OBJECTS_ENFORCED
    world.clusters.listed = LISTING_FAILED
    outside, inside = f"copies/{CLUSTER_ID}/a", f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {outside: SSE_S3, inside: encrypted("aws:kms", KEY.arn)}

    (alert,) = check(world, *map(created, (outside, inside)[:: (1, -1)[first]]))

    (finding,) = alert.findings
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-101", Compliance.INSUFFICIENT_DATA)
    assert "is a log is unknown: elasticmapreduce:ListSteps" in finding.summary
    assert alert.cluster_name == "nightly-etl"
    assert world.queue.sent == []


@pytest.mark.parametrize(
    ("key", "compliance"),
    [
        (CONTAINER_LOG, Compliance.INSUFFICIENT_DATA),
        (STEP_LOG, Compliance.NON_COMPLIANT),
        (NODE_LOG, Compliance.NON_COMPLIANT),
    ],
)
def test_log_that_may_be_of_a_session_is_undetermined(
    world: World, key: str, compliance: Compliance
) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(sessions_enabled=True)}

    assert carrying(world, key, THIRD_KEY).compliance is compliance


def again(*keys: str) -> list[str]:
    """What the review sends of a cluster's known bad objects."""
    place = ("111122223333", "eu-west-1", CLUSTER_ID)
    return [
        encode_recheck(LogObjectCheckRequest(ObjectVersion("example-logs", key), *place))
        for key in keys
    ]


def reencrypted(key: str) -> str:
    """What CloudTrail sends of an object that got another key in place."""
    return json.dumps(
        {
            "source": "aws.s3",
            "detail-type": "AWS API Call via CloudTrail",
            "account": ACCOUNT,
            "region": REGION,
            "detail": {
                "eventSource": "s3.amazonaws.com",
                "eventName": "UpdateObjectEncryption",
                "requestParameters": {"bucketName": "example-logs", "key": key},
            },
        }
    )


def test_compliant_object_that_is_re_encrypted_with_another_key_causes_a_finding(
    world: World,
) -> None:
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    key = f"emr/{CLUSTER_ID}/a"
    assert check(world, created(key)) == []

    world.objects.heads = {key: encrypted("aws:kms", ANOTHER_KEY.arn)}
    (alert,) = check(world, reencrypted(key))

    assert "EMRLOG-103" in by_rule(alert)
    assert by_rule(alert)["EMRLOG-103"].compliance is Compliance.NON_COMPLIANT


def test_violating_object_that_is_re_encrypted_with_the_right_key_is_resolved(world: World) -> None:
    key = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {key: SSE_S3}
    check(world, created(key))
    world.passes(hours=1)

    world.objects.heads = {}
    alerts = check(world, reencrypted(key))

    assert [alert.kind for alert in alerts] == ["finding.opened", "finding.resolved"]


def test_violating_object_that_is_re_encrypted_with_a_wrong_key_is_counted_once(
    world: World,
) -> None:
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    key = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {key: encrypted("aws:kms", AWS_MANAGED.arn)}
    check(world, created(key))
    before = world.records

    check(world, reencrypted(key))

    assert world.records == before


def test_re_encrypted_object_that_is_deleted_is_ignored(world: World) -> None:
    key = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {key: NOT_FOUND}

    assert check(world, reencrypted(key)) == []
    assert world.table.counts == {}


def test_object_key_encoded_by_cloudtrail_is_decoded(world: World) -> None:
    encoded = f"emr/{CLUSTER_ID}/a%3Db"
    world.objects.heads = {encoded: NOT_FOUND, f"emr/{CLUSTER_ID}/a=b": SSE_S3}

    (alert,) = check(world, reencrypted(encoded))

    assert by_rule(alert)["EMRLOG-101"].evidence["samples"] == (
        f"s3://example-logs/emr/{CLUSTER_ID}/a=b",
    )


def test_rechecked_object_that_still_violates_changes_nothing(world: World) -> None:
    key = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {key: SSE_S3}
    check(world, created(key))
    records = world.records
    world.table.calls.clear()
    world.passes(hours=1)

    check(world, *again(key))

    assert world.records == records
    assert "PutItem" not in world.table.counts


def test_object_of_a_terminated_cluster_announces_no_termination(world: World) -> None:
    key = f"emr/{CLUSTER_ID}/a"
    world.policy = OBJECTS_ENFORCED
    world.objects.heads = {key: SSE_S3}
    check(world, created(key))
    world.check()
    running = world.clusters.known[CLUSTER_ID]
    world.clusters.known[CLUSTER_ID] = replace(running, state="TERMINATED")
    world.check()
    world.clusters.known[CLUSTER_ID] = running  # as a warm environment has it cached
    world.alerts.published.clear()
    world.passes(minutes=2)

    assert check(world, *again(key)) == []


def test_finding_is_resolved_when_every_object_is_remediated_or_deleted(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    a, b = f"emr/{CLUSTER_ID}/a", f"emr/{CLUSTER_ID}/b"
    world.objects.heads = {a: SSE_S3, b: SSE_S3}
    check(world, created(a), created(b))

    world.objects.heads = {a: encrypted("aws:kms", KEY.arn), b: SSE_S3}
    check(world, *again(a, b))
    assert world.records["EMRLOG-101"].finding.occurrences == 1

    world.objects.heads = {b: UNREADABLE}
    check(world, *again(b))
    assert world.records["EMRLOG-101"].open

    world.objects.heads = {b: NOT_FOUND}
    check(world, *again(b))
    assert world.kinds == ["finding.opened", "finding.resolved"]


def test_resolution_of_deleted_objects_contains_the_stored_tags_of_the_cluster(
    world: World,
) -> None:
    world.policy = a_policy(Mode.ALERT)
    a = f"emr/{CLUSTER_ID}/a"
    world.clusters.known = {CLUSTER_ID: a_cluster(tags={"team": "etl"})}
    world.check()
    world.objects.heads = {a: SSE_S3}
    check(world, created(a))
    world.objects.heads = {a: NOT_FOUND}

    check(world, *again(a))

    resolved = world.alerts.published[-1]
    assert (resolved.kind, resolved.cluster_tags) == ("finding.resolved", {"team": "etl"})


def test_object_that_violates_another_rule_moves_to_the_finding_of_that_rule(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    a = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {a: SSE_S3}
    check(world, created(a))
    world.objects.heads = {a: encrypted("aws:kms", AWS_MANAGED.arn)}
    check(world, *again(a))

    assert not world.records["EMRLOG-101"].open
    assert world.records["EMRLOG-102"].open


def test_exempt_object_finding_is_not_counted_as_open(world: World) -> None:
    a = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {a: SSE_S3}
    world.policy = a_policy(Mode.ALERT, exemptions=(an_exemption(),))

    assert check(world, created(a)) == []

    assert world.records["EMRLOG-101"].finding.status is Status.EXEMPT
    record_open(record.finding for record in world.records.values())
    assert metrics.metric_set["OpenHighFindings"]["Value"] == [0]
    assert metrics.metric_set["ExemptFindings"]["Value"] == [1]


def test_review_requests_rechecks_of_open_clusters_and_their_known_objects(world: World) -> None:
    rechecks = FakeRechecks()
    requests: list[LogObjectCheckRequest] = []

    class Asked:
        def recheck(self, request: LogObjectCheckRequest) -> None:
            requests.append(request)

    a = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {a: SSE_S3}
    check(world, created(a))

    review = ReviewFindings(
        world.repository, rechecks, Asked(), world.notify_change, world.clock, 200
    )
    assert review() == {"clusters": 1, "log_objects": 1}
    assert world.alerts.policy_changes == []
    assert (rechecks.asked, rechecks.since) == ([CLUSTER_ID], None)
    assert [encode_recheck(request) for request in requests] == again(a)


def test_rechecked_object_that_is_not_a_log_is_ignored(world: World) -> None:
    check(world, *again("elsewhere/a"))

    assert world.table.counts == {}


def test_cluster_cached_as_running_and_recorded_as_terminated_is_not_alerted_again(
    world: World,
) -> None:
    world.policy = OBJECTS_ENFORCED
    key = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {key: SSE_S3}
    check(world, created(key))
    world.check()
    running = world.clusters.known[CLUSTER_ID]
    world.clusters.known = {CLUSTER_ID: replace(running, state="TERMINATED")}
    world.check()
    world.alerts.published.clear()
    world.queue.sent.clear()

    world.clusters.known = {CLUSTER_ID: running}  # as a warm environment has it cached
    check(world, *again(key), created(f"emr/{CLUSTER_ID}/b"))

    assert world.kinds == []
    assert world.queue.sent == []


def test_log_objects_of_a_cluster_first_evaluated_when_terminated_announce_no_termination(
    world: World,
) -> None:
    world.policy = OBJECTS_ENFORCED
    running = world.clusters.known[CLUSTER_ID]
    key = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {key: SSE_S3}
    check(world, created(key))
    world.clusters.known = {CLUSTER_ID: replace(running, state="TERMINATED")}
    world.check()
    world.alerts.published.clear()

    world.clusters.known = {CLUSTER_ID: running}  # as a warm environment has it cached
    other = f"emr/{CLUSTER_ID}/b"
    world.objects.heads = {key: SSE_S3, other: encrypted("aws:kms", ANOTHER_KEY.arn)}
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    check(world, *again(key), created(other))

    assert [alert.next_step for alert in world.alerts.published] == [NextStep.CLUSTER_TERMINATED]


def test_latency_of_an_alert_about_several_objects_is_that_of_the_oldest(world: World) -> None:
    ages = {f"emr/{CLUSTER_ID}/{age}": NOW - timedelta(seconds=age) for age in (0, 42, 7)}
    world.objects.heads = dict.fromkeys(ages, SSE_S3)

    check(world, *(created(key, at=at) for key, at in ages.items()))

    assert metrics.metric_set["AlertLatency"]["Value"] == [42]
