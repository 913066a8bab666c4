"""Re-encryption: it trusts no message, counts exactly, and says what it cannot do."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest

from emr_log_guard.domain.clusters import Step
from emr_log_guard.domain.compliance import Mode, Severity
from emr_log_guard.domain.decide import Alert, NextStep
from emr_log_guard.domain.finding_record import REMEDIED, logs_reencrypted
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.keys import KeyFact, KeyNotFound, KeyState
from emr_log_guard.domain.log_objects import SSE_C, Encryption, ObjectVersion
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.reencrypted import HELD, PERIOD, TRIES
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    InvalidEventError,
    ObjectNotFoundError,
    ReencryptionRefusedError,
    TemporarilyUnavailableError,
    WriteConflictError,
)
from emr_log_guard.events.log_objects import LogObjectCheckRequest, encode_recheck
from emr_log_guard.events.reencryption import (
    encode_reencryption_request,
    parse_reencryption_request,
)
from emr_log_guard.events.review import ReviewRequest
from emr_log_guard.usecases.checks.review import ReviewFindings
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    NOW,
    OTHER_ACCOUNT,
    REGION,
    a_cluster,
    a_key,
    a_log_object,
    an_exemption,
    encrypted,
    reencrypting,
)
from tests.unit.fakes import NOT_FOUND
from tests.unit.usecases.checks.test_review import NoObjects
from tests.unit.usecases.world import World, created

SSE_S3 = encrypted("AES256")
LOG = f"emr/{CLUSTER_ID}/node/log-1"
REFUSED = ReencryptionRefusedError("s3:UpdateObjectEncryption answered AccessDenied")
THROTTLED = TemporarilyUnavailableError("s3:UpdateObjectEncryption answered SlowDown")


@pytest.fixture
def world() -> World:
    return World(policy=reencrypting())


def write(world: World, *keys: str, head: Encryption = SSE_S3) -> None:
    """Have EMR write logs, and have their events checked."""
    world.objects.heads = {**world.objects.heads, **dict.fromkeys(keys, head)}
    check(world, *map(created, keys))


def check(world: World, *bodies: str) -> None:
    use_case = world.check_log_objects
    assert not use_case.check([use_case.read(body) for body in bodies])


def requested(world: World) -> list[ObjectVersion]:
    """Take what was requested from the queue."""
    sent = world.reencryptions.sent
    world.reencryptions.sent = []
    return [parse_reencryption_request(encode_reencryption_request(version)) for version, _ in sent]


def reencrypt(
    world: World, requests: Iterable[ObjectVersion] | None = None
) -> tuple[ObjectVersion, ...]:
    return world.reencrypt.reencrypt(tuple(requested(world) if requests is None else requests))


def updated(world: World) -> list[str]:
    return [version.key for version, *_ in world.objects.updates]


def test_violating_object_is_reencrypted_and_its_finding_resolved_without_an_alert(
    world: World,
) -> None:
    write(world, LOG)
    assert reencrypt(world) == ()

    assert world.objects.updates == [(a_log_object(LOG), KEY.arn, ACCOUNT, False)]
    record = world.records["EMRLOG-101"]
    assert record.finding.status is Status.RESOLVED
    assert record.reencryption.count == 1
    assert record.finding.evidence["reencrypted_from"] == ("SSE-S3: 1",)
    assert world.kinds == ["remediation.done"]
    [alert] = world.alerts.published
    assert alert.next_step is NextStep.LOGS_REENCRYPTED
    assert alert.detail == (
        f"1 log object was re-encrypted so far: 1 from SSE-S3, with {KEY.arn}. "
        "Their readers need kms:Decrypt for that key. None is left. "
        "Further ones are reported in 24 hours at the earliest."
    )


def test_object_is_read_twice_and_updated_once(world: World) -> None:
    write(world, LOG)
    world.objects.asked.clear()

    reencrypt(world)

    assert world.objects.asked == [a_log_object(LOG)] * 2
    assert updated(world) == [LOG]


def test_hundred_equal_messages_cause_one_update(world: World) -> None:
    write(world, LOG)
    requests = requested(world)

    for _ in range(100):
        assert reencrypt(world, requests) == ()

    assert updated(world) == [LOG]
    assert world.records["EMRLOG-101"].reencryption.count == 1
    assert world.kinds == ["remediation.done"]


def test_message_twice_in_a_batch_causes_one_update(world: World) -> None:
    write(world, LOG)

    reencrypt(world, requested(world) * 2)

    assert updated(world) == [LOG]
    assert world.records["EMRLOG-101"].reencryption.count == 1


def test_logs_written_every_five_minutes_cause_one_alert_a_day(world: World) -> None:
    for n in range(20):
        write(world, f"{LOG}-{n}")
        reencrypt(world)
        world.passes(minutes=5)
    assert world.kinds == ["remediation.done"]

    world.passes(hours=24)
    write(world, f"{LOG}-20")
    reencrypt(world)

    assert world.kinds == ["remediation.done"] * 2
    assert "21 log objects were re-encrypted so far" in world.alerts.published[-1].detail
    assert world.records["EMRLOG-101"].reencryption.count == 21


def test_version_that_was_read_is_updated_with_its_bucket_key_setting(world: World) -> None:
    head = Encryption("AES256", version_id="v1", bucket_key=True)
    write(world, LOG, head=head)

    reencrypt(world)

    assert world.objects.updates == [
        (ObjectVersion("example-logs", LOG, "v1"), KEY.arn, ACCOUNT, True)
    ]
    assert not world.records["EMRLOG-101"].open


@pytest.mark.parametrize(
    "request_for",
    [
        pytest.param(ObjectVersion("example-logs", "data/secret"), id="no log"),
        pytest.param(ObjectVersion("other-bucket", LOG), id="another bucket"),
        pytest.param(ObjectVersion("example-logs", "emr/j-UNKNOWN/node/a"), id="unknown cluster"),
        pytest.param(a_log_object(f"emr/{CLUSTER_ID}/good"), id="compliant log"),
    ],
)
def test_forged_request_changes_nothing(world: World, request_for: ObjectVersion) -> None:
    world.objects.heads = dict.fromkeys(["data/secret", LOG, "emr/j-UNKNOWN/node/a"], SSE_S3)

    assert reencrypt(world, [request_for]) == ()

    assert world.objects.updates == []
    assert not world.records


def test_request_without_an_object_is_rejected() -> None:
    for body in ("{}", '{"schema": "emr-log-guard/reencryption/1", "bucket": "b", "key": ""}'):
        with pytest.raises(InvalidEventError):
            parse_reencryption_request(body)


def test_object_without_a_record_is_recorded_before_its_reencryption(world: World) -> None:
    world.objects.heads = {LOG: SSE_S3}

    assert reencrypt(world, [a_log_object(LOG)]) == ()

    assert updated(world) == [LOG]
    assert world.records["EMRLOG-101"].reencryption.count == 1


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(reencrypting(enabled=False), id="disabled"),
        pytest.param(reencrypting(allowed=False), id="a stack that may not"),
        pytest.param(reencrypting(rules=frozenset({"EMRLOG-103"})), id="another rule"),
        pytest.param(replace(reencrypting(), mode=Mode.OBSERVE), id="observed only"),
        pytest.param(replace(reencrypting(), exemptions=(an_exemption(),)), id="exempt"),
    ],
)
def test_policy_decides_what_is_reencrypted(world: World, policy: Policy) -> None:
    world.policy = policy
    write(world, LOG)
    assert world.reencryptions.sent == []

    assert reencrypt(world, [a_log_object(LOG)]) == ()

    assert world.objects.updates == []


def test_policy_is_read_again_for_each_batch(world: World) -> None:
    write(world, LOG)
    world.policy_asked.clear()

    reencrypt(world)

    assert world.policy_asked == [True]


def test_messages_return_to_the_queue_while_the_policy_is_suspended(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    world.policy = replace(world.policy, suspended=True)

    assert reencrypt(world, requests) == tuple(requests)
    assert world.objects.updates == []


def test_logs_of_a_cluster_without_a_key_get_the_default_key_and_comply(
    world: World,
) -> None:
    world.clusters.known[CLUSTER_ID] = a_cluster(log_key_identifier=None)
    world.keys.facts = {ANOTHER_KEY.arn: ANOTHER_KEY}
    world.policy = reencrypting(default_key=ANOTHER_KEY.arn)
    write(world, LOG)

    reencrypt(world)
    check(world, created(LOG))

    assert [key for _, key, *_ in world.objects.updates] == [ANOTHER_KEY.arn]
    assert not any(record.open for record in world.records.values())
    assert world.reencryptions.sent == []


def test_logs_with_the_default_key_comply_when_the_cluster_key_is_unusable(world: World) -> None:
    disabled = a_key(state=KeyState.DISABLED)
    world.keys.facts = {KEY.arn: disabled, ANOTHER_KEY.arn: ANOTHER_KEY}
    world.policy = reencrypting(default_key=ANOTHER_KEY.arn)
    write(world, LOG)

    reencrypt(world)
    check(world, created(LOG))

    assert [key for _, key, *_ in world.objects.updates] == [ANOTHER_KEY.arn]
    assert not any(record.open for record in world.records.values())


def test_log_of_a_step_gets_the_key_of_the_step(world: World) -> None:
    step = Step("s-2A", "etl", log_key_identifier=ANOTHER_KEY.arn)
    world.clusters.listed = (step,)
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    write(world, f"emr/{CLUSTER_ID}/steps/s-2A/stderr.gz")

    reencrypt(world)

    assert [key for _, key, *_ in world.objects.updates] == [ANOTHER_KEY.arn]


def test_alert_names_every_key_that_readers_need(world: World) -> None:
    step = Step("s-2A", "etl", log_key_identifier=ANOTHER_KEY.arn)
    world.clusters.listed = (step,)
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    write(world, LOG, f"emr/{CLUSTER_ID}/steps/s-2A/stderr.gz")

    reencrypt(world)

    [alert] = world.alerts.published
    assert KEY.arn in alert.detail
    assert ANOTHER_KEY.arn in alert.detail
    assert "Their readers need kms:Decrypt for those keys." in alert.detail
    keys = world.records["EMRLOG-101"].finding.evidence["reencrypted_with"]
    assert isinstance(keys, tuple)
    assert set(keys) == {KEY.arn, ANOTHER_KEY.arn}


@pytest.mark.parametrize("same", [True, False], ids=["same key", "different keys"])
def test_log_of_several_possible_steps_is_reencrypted_only_if_their_keys_agree(
    world: World, *, same: bool
) -> None:
    uri = "s3://example-logs/steps/"
    keys = (ANOTHER_KEY.arn, ANOTHER_KEY.arn if same else KEY.arn)
    world.clusters.listed = tuple(
        Step(f"s-{n}", "etl", log_uri=uri, log_key_identifier=key) for n, key in enumerate(keys)
    )
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    write(world, f"steps/{CLUSTER_ID}/containers/application_1/a.gz")

    reencrypt(world)

    if same:
        assert [key for _, key, *_ in world.objects.updates] == [ANOTHER_KEY.arn]
    else:
        assert world.objects.updates == []
        assert "steps with different log keys" in world.alerts.published[-1].detail


def test_log_is_not_reencrypted_while_the_steps_cannot_be_listed(world: World) -> None:
    write(world, f"emr/{CLUSTER_ID}/steps/s-1A/stderr.gz")
    world.clusters.listed = Unresolved("elasticmapreduce:ListSteps answered AccessDenied")

    reencrypt(world)

    assert world.objects.updates == []
    assert "ListSteps answered AccessDenied" in world.alerts.published[-1].detail


def test_logs_of_the_nodes_are_reencrypted_without_listing_steps(world: World) -> None:
    write(world, LOG)

    reencrypt(world)

    assert updated(world) == [LOG]
    assert world.clusters.steps_asked == []


@pytest.mark.parametrize("algorithm", [None, SSE_C, "aws:fsx"])
def test_object_that_s3_cannot_reencrypt_is_alerted_once_with_a_hint(
    world: World, algorithm: str | None
) -> None:
    write(world, LOG, head=encrypted(algorithm))
    for _ in range(3):
        assert reencrypt(world) == ()
        world.passes(minutes=1)
        again = LogObjectCheckRequest(a_log_object(LOG), ACCOUNT, REGION, CLUSTER_ID)
        check(world, encode_recheck(again))

    assert world.objects.updates == []
    assert world.kinds == ["finding.opened", "remediation.failed"]
    alert = world.alerts.published[-1]
    assert alert.next_step is NextStep.LOGS_NOT_REENCRYPTED
    assert "copy it onto itself" in alert.detail
    assert world.records["EMRLOG-101"].open


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (reencrypting(), "no reencryption.default_key"),
        (reencrypting(default_key=ANOTHER_KEY.arn), "default_key"),
    ],
    ids=["no default", "default does not exist"],
)
def test_missing_cluster_key_and_default_key_are_alerted_without_reencryption(
    world: World, policy: Policy, says: str
) -> None:
    world.policy = policy
    world.clusters.known[CLUSTER_ID] = a_cluster(log_key_identifier=None)
    write(world, LOG)

    reencrypt(world)

    assert world.objects.updates == []
    assert says in world.alerts.published[-1].detail


def test_unapproved_cluster_key_is_not_used(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    world.policy = replace(reencrypting(), approved_keys=(ANOTHER_KEY.arn,))
    write(world, LOG)

    reencrypt(world)

    assert world.objects.updates == []
    assert "not one of the approved keys" in world.alerts.published[-1].detail


@pytest.mark.parametrize(
    ("owner", "others", "says"),
    [
        (OTHER_ACCOUNT, (), "not a key of the bucket's account"),
        (OTHER_ACCOUNT, (OTHER_ACCOUNT,), "not a key of the bucket's account"),
        (Unresolved("s3:HeadBucket answered 403"), (), "cannot be compared with the owner"),
    ],
)
def test_objects_in_a_bucket_of_another_account_are_not_reencrypted(
    world: World, owner: str | Unresolved, others: tuple[str, ...], says: str
) -> None:
    world.policy = replace(world.policy, log_bucket_owners=others)
    world.buckets.owner = owner
    write(world, LOG)

    reencrypt(world)

    assert world.objects.updates == []
    assert says in world.alerts.published[-1].detail


def test_refused_object_is_tried_three_times_a_day_and_alerted_once(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.refusals[LOG] = REFUSED
    for _ in range(10):
        assert reencrypt(world, requests) == ()
        world.passes(hours=1)
    tries = world.records["EMRLOG-101"].reencryption.attempts

    assert [each.tries for each in tries.values()] == [TRIES]
    assert world.kinds[:2] == ["finding.opened", "remediation.failed"]
    assert world.kinds.count("remediation.failed") == 2  # its cause, and that it was given up

    world.objects.refusals.clear()
    world.passes(seconds=PERIOD.total_seconds())
    reencrypt(world, requests)
    assert updated(world) == [LOG]


def test_object_with_another_key_after_the_update_is_not_counted(world: World) -> None:
    write(world, LOG)
    world.objects.unchanged.add(LOG)

    assert reencrypt(world) == ()

    assert world.records["EMRLOG-101"].open
    assert world.records["EMRLOG-101"].reencryption.count == 0
    assert "read with another key" in world.alerts.published[-1].detail


def test_throttled_object_returns_to_the_queue_without_using_an_attempt(world: World) -> None:
    write(world, LOG, f"{LOG}-2")
    requests = requested(world)
    world.objects.refusals[LOG] = THROTTLED
    for _ in range(TRIES + 1):
        assert reencrypt(world, requests) == (requests[0],)

    world.objects.refusals.clear()
    assert reencrypt(world, requests) == ()
    assert sorted(updated(world)) == [LOG, f"{LOG}-2"]
    assert world.records["EMRLOG-101"].reencryption.count == 2
    assert "remediation.failed" not in world.kinds


@pytest.mark.parametrize(
    "head",
    [
        Unresolved("s3:HeadObject answered SlowDown", transient=True),
        TemporarilyUnavailableError("elasticmapreduce:DescribeCluster answered Throttling"),
        RuntimeError("a bug"),
    ],
)
def test_object_that_is_temporarily_unreadable_returns_to_the_queue(
    world: World, head: Unresolved | Exception
) -> None:
    write(world, LOG, f"{LOG}-2")
    requests = requested(world)
    world.objects.heads = {**world.objects.heads, LOG: head}

    assert reencrypt(world, requests) == (requests[0],)
    assert updated(world) == [f"{LOG}-2"]


def test_object_returns_to_the_queue_while_its_key_is_temporarily_unreadable(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    world.keys.facts = {KEY.arn: Unresolved("kms:DescribeKey was throttled", transient=True)}

    assert reencrypt(world, requests) == tuple(requests)


def test_object_with_unreadable_encryption_is_not_reencrypted(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    denied = Unresolved("s3:HeadObject answered 403")
    world.objects.heads = {LOG: denied}

    assert reencrypt(world, requests) == ()
    assert world.objects.updates == []


@pytest.mark.parametrize(
    ("after", "again"),
    [(Unresolved("403"), 0), (Unresolved("503", transient=True), 1)],
    ids=["denied", "throttled"],
)
def test_object_that_is_unreadable_after_the_update_is_not_counted(
    world: World, after: Unresolved, again: int
) -> None:
    write(world, LOG)
    objects, heads = world.objects, iter([SSE_S3, after])
    objects.encryption = lambda *_: next(heads)  # type: ignore[method-assign,assignment]

    assert len(reencrypt(world)) == again
    assert world.records["EMRLOG-101"].reencryption.count == 0


def test_object_deleted_before_the_request_is_ignored(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.heads = {LOG: NOT_FOUND}

    assert reencrypt(world, requests) == ()
    assert world.objects.updates == []


def test_object_deleted_during_the_update_returns_to_the_queue(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.refusals[LOG] = ObjectNotFoundError(LOG)

    assert reencrypt(world, requests) == tuple(requests)
    assert "remediation.failed" not in world.kinds


def test_object_that_complies_by_now_is_not_reencrypted(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.heads = {}

    assert reencrypt(world, requests) == ()
    assert world.objects.updates == []
    assert world.records["EMRLOG-101"].reencryption.count == 0


def test_crash_between_update_and_record_does_not_lose_the_count(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.after[LOG] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reencrypt(world, requests)
    assert world.records["EMRLOG-101"].reencryption.count == 0

    for _ in range(3):
        assert reencrypt(world, requests) == ()

    assert updated(world) == [LOG]
    assert world.records["EMRLOG-101"].reencryption.count == 1
    assert not world.records["EMRLOG-101"].open


@pytest.mark.parametrize(
    "lost", [THROTTLED, Unresolved("s3:HeadObject answered 403")], ids=["answer", "second read"]
)
def test_update_whose_answer_is_lost_counts_once_it_is_seen(
    world: World, lost: Exception | Unresolved
) -> None:
    write(world, LOG)
    requests = requested(world)
    if isinstance(lost, Unresolved):
        read, answers = world.objects.encryption, iter([SSE_S3, lost])
        world.objects.encryption = lambda *_: next(answers)  # type: ignore[method-assign,assignment]
        reencrypt(world, requests)
        world.objects.encryption = read  # type: ignore[method-assign]
    else:
        world.objects.after[LOG] = lost
        assert reencrypt(world, requests) == tuple(requests)
        world.objects.after.clear()
    assert world.records["EMRLOG-101"].reencryption.count == 0

    assert reencrypt(world, requests) == ()

    assert updated(world) == [LOG]
    assert world.records["EMRLOG-101"].reencryption.count == 1
    assert not world.records["EMRLOG-101"].open


def test_crash_before_the_update_is_retried_after_the_hold_expires(
    world: World,
) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.refusals[LOG] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reencrypt(world, requests)
    world.objects.refusals.clear()

    assert reencrypt(world, requests) == tuple(requests)  # another invocation may have it
    world.passes(seconds=HELD.total_seconds())
    assert reencrypt(world, requests) == ()

    assert updated(world) == [LOG]


def test_error_of_one_cluster_does_not_affect_the_others(world: World) -> None:
    other = "j-3BYYYYYYHBQMG"
    world.clusters.known[other] = a_cluster(
        id=other, arn=a_cluster().arn.replace(CLUSTER_ID, other)
    )
    write(world, LOG, f"emr/{other}/node/a")
    requests = requested(world)
    stolen = iter([WriteConflictError("too many")])
    record = world.recorder.record

    class Recorder:
        by = "reencrypt"

        def record(self, *given: object, **named: object) -> object:
            for error in stolen:
                raise error
            return record(*given, **named)  # type: ignore[arg-type]

    use_case = replace(world.reencrypt, recorder=Recorder())  # type: ignore[arg-type]

    assert len(use_case.reencrypt(requests)) == 1
    assert reencrypt(world, requests) == ()
    for cluster_id in (CLUSTER_ID, other):
        state = world.repository.read(cluster_id).records["EMRLOG-101"].reencryption
        assert state.count == 1


def test_finding_resolved_meanwhile_keeps_the_count(world: World) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.after[LOG] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reencrypt(world, requests)
    again = LogObjectCheckRequest(a_log_object(LOG), ACCOUNT, REGION, CLUSTER_ID)
    check(world, encode_recheck(again))
    assert not world.records["EMRLOG-101"].open

    assert reencrypt(world, requests) == ()

    assert not world.records["EMRLOG-101"].open
    assert world.records["EMRLOG-101"].reencryption.count == 1


def test_results_are_recorded_even_under_a_stale_policy(world: World) -> None:
    older, newer = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    world.policy = replace(world.policy, stored_at=newer)
    write(world, LOG)
    use_case = world.reencrypt
    policies = iter([replace(world.policy, stored_at=older), world.policy])
    stale = replace(use_case, policy=lambda **_: next(policies))

    assert stale.reencrypt(requested(world)) == ()

    assert world.records["EMRLOG-101"].reencryption.count == 1


def test_objects_beyond_the_hourly_budget_wait_and_are_alerted(
    world: World,
) -> None:
    world.policy = reencrypting(max_objects_per_hour=2)
    write(world, *(f"{LOG}-{n}" for n in range(5)))

    assert reencrypt(world) == ()

    assert len(updated(world)) == 2
    waiting = world.reencryptions.sent
    assert [delay for _, delay in waiting] == [900] * 3
    assert "max_objects_per_hour (2) is reached" in world.alerts.published[-1].detail
    assert reencrypt(world) == ()
    assert len(updated(world)) == 2
    world.now = NOW.replace(minute=59, second=50)
    assert reencrypt(world) == ()
    assert {delay for _, delay in world.reencryptions.sent} == {10}

    world.passes(hours=1)
    assert reencrypt(world) == ()
    world.passes(hours=1)
    assert reencrypt(world) == ()
    assert len(updated(world)) == world.records["EMRLOG-101"].reencryption.count == 5
    assert not world.records["EMRLOG-101"].open


def test_finding_that_is_not_remediated_in_time_is_alerted(world: World) -> None:
    write(world, LOG)
    assert world.kinds == []
    world.passes(seconds=REMEDIED.total_seconds())

    again = LogObjectCheckRequest(a_log_object(LOG), ACCOUNT, REGION, CLUSTER_ID)
    check(world, encode_recheck(again))

    assert world.kinds == ["finding.opened"]


def review(world: World, what: Literal["all", "late"]) -> int:
    """Review, and say how many clusters are to be checked."""
    use_case = ReviewFindings(
        world.repository, world.rechecks, NoObjects(), world.notify_change, world.clock, 200
    )
    return use_case(ReviewRequest(what))["clusters"]


def late(world: World) -> int:
    """Review what is late, and have the clusters checked that it requests."""
    asked = review(world, "late")
    if asked:
        world.check()
    return asked


def test_review_requests_a_recheck_of_a_cluster_with_overdue_remediation(world: World) -> None:
    write(world, LOG)
    asked = []
    for _ in range(4):
        asked.append(late(world))
        world.passes(minutes=6)

    assert asked == [0, 0, 1, 0]
    assert world.kinds == ["finding.opened"]


def test_review_requests_no_recheck_where_nothing_is_reencrypted(world: World) -> None:
    world.policy = replace(reencrypting(enabled=False), mode=Mode.OBSERVE)
    write(world, LOG)
    asked = []
    for _ in range(4):
        asked.append(late(world))
        world.passes(minutes=6)

    assert asked == [0] * 4


def test_batches_of_a_bulk_run_cause_one_alert_with_the_total_once_none_is_left(
    world: World,
) -> None:
    write(world, *(f"{LOG}-{n}" for n in range(7)))
    requests = requested(world)
    for first in (0, 3):
        reencrypt(world, requests[first : first + 3])
    assert world.kinds == []

    reencrypt(world, requests[6:])

    assert world.kinds == ["remediation.done"]
    assert world.alerts.published[0].detail.startswith("7 log objects were re-encrypted so far")
    assert "None is left" in world.alerts.published[0].detail


def test_bulk_run_that_takes_long_is_alerted_with_what_is_left_and_when_it_is_over(
    world: World,
) -> None:
    write(world, *(f"{LOG}-{n}" for n in range(4)))
    requests = requested(world)
    reencrypt(world, requests[:2])
    world.passes(seconds=REMEDIED.total_seconds())
    assert late(world) == 1

    assert world.kinds == ["finding.opened", "remediation.done"]
    assert "2 log objects were re-encrypted so far" in world.alerts.published[-1].detail
    assert "2 log objects are left" in world.alerts.published[-1].detail
    reencrypt(world, requests[2:3])
    assert len(world.kinds) == 2
    reencrypt(world, requests[3:])
    assert world.kinds[2:] == ["finding.resolved", "remediation.done"]
    assert "4 log objects were re-encrypted so far" in world.alerts.published[-1].detail


def test_total_of_a_day_is_alerted_even_if_no_log_follows(world: World) -> None:
    for n in range(3):
        write(world, f"{LOG}-{n}")
        reencrypt(world)
        world.passes(minutes=5)
    world.clusters.known[CLUSTER_ID] = replace(a_cluster(), state="TERMINATED")
    asked = []
    for _ in range(4):
        asked.append(late(world))
        world.passes(hours=8)

    assert asked == [0, 0, 0, 1]
    assert world.kinds == ["remediation.done"] * 2
    assert "3 log objects were re-encrypted so far" in world.alerts.published[-1].detail
    assert late(world) == 0


def test_hourly_review_rechecks_a_cluster_whose_total_is_overdue_and_not_before(
    world: World,
) -> None:
    for n in range(2):
        write(world, f"{LOG}-{n}")
        reencrypt(world)

    assert review(world, "all") == 0
    world.passes(hours=25, minutes=1)  # no late review came
    assert review(world, "late") == 0
    assert review(world, "all") == 1


def test_objects_reencrypted_while_the_alert_is_sent_are_in_the_next_total(world: World) -> None:
    publish = world.alerts.publish
    later: list[ObjectVersion] = []

    def slowly(alert: Alert) -> None:
        if not later:
            write(world, f"{LOG}-2")
            later.extend(requested(world))
            assert reencrypt(world, later) == tuple(later)  # the alert is being sent
        publish(alert)

    world.alerts.publish = slowly  # type: ignore[method-assign]
    write(world, LOG)
    reencrypt(world)
    assert reencrypt(world, later) == ()
    assert world.kinds == ["remediation.done"]
    assert world.records["EMRLOG-101"].reencryption.count == 2

    world.passes(hours=24)
    assert late(world) == 1
    assert world.kinds == ["remediation.done"] * 2
    assert "2 log objects were re-encrypted so far" in world.alerts.published[-1].detail


@pytest.mark.parametrize("why", ["observed", "below the minimum severity"])
def test_what_the_policy_does_not_alert_is_counted_and_not_notified(world: World, why: str) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.after[LOG] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reencrypt(world, requests)
    if why == "observed":
        world.policy = replace(world.policy, mode=Mode.OBSERVE)
    else:
        alerts = replace(world.policy.alerts, minimum_severity=Severity.CRITICAL)
        world.policy = replace(world.policy, alerts=alerts)

    reencrypt(world, requests)

    assert world.records["EMRLOG-101"].reencryption.count == 1
    assert world.kinds == []
    world.passes(hours=25)
    assert late(world) == 0


def test_alert_after_a_crash_between_update_and_record_has_the_exact_count(world: World) -> None:
    logs = [f"{LOG}-{n}" for n in range(5)]
    write(world, *logs)
    requests = requested(world)
    world.objects.after[logs[2]] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reencrypt(world, requests)
    world.objects.after.clear()
    world.passes(seconds=HELD.total_seconds())
    for _ in range(3):
        assert reencrypt(world, requests) == ()

    assert sorted(updated(world)) == logs
    assert world.kinds == ["remediation.done"]
    assert "5 log objects were re-encrypted so far: 5 from SSE-S3" in (
        world.alerts.published[0].detail
    )


def test_of_two_environments_with_the_same_object_one_updates_it_and_neither_alerts_a_violation(
    world: World,
) -> None:
    other = World(policy=reencrypting(), objects=world.objects)
    logs = [f"{LOG}-{n}" for n in range(3)]
    for each in (world, other):
        write(each, *logs)

    reencrypt(world)
    assert reencrypt(other) == ()

    assert sorted(updated(world)) == logs
    counts = [each.records["EMRLOG-101"].reencryption.count for each in (world, other)]
    assert counts == [3, 0]
    assert not other.records["EMRLOG-101"].open
    other.passes(seconds=REMEDIED.total_seconds())
    assert late(other) == 0
    assert (world.kinds, other.kinds) == (["remediation.done"], [])


def test_alerted_finding_is_resolved_with_an_alert(world: World) -> None:
    world.policy = reencrypting(enabled=False)
    write(world, LOG)
    assert world.kinds == ["finding.opened"]
    world.policy = reencrypting()

    reencrypt(world, [a_log_object(LOG)])

    assert world.kinds == ["finding.opened", "finding.resolved", "remediation.done"]


def test_other_objects_of_the_finding_stay_open(world: World) -> None:
    write(world, LOG, f"{LOG}-2")

    reencrypt(world, requested(world)[:1])

    record = world.records["EMRLOG-101"]
    assert (record.open, record.finding.occurrences) == (True, 1)
    assert record.objects == (a_log_object(f"{LOG}-2"),)


def without_a_key(world: World, *, unless_reencrypted: bool = True) -> None:
    """Let a cluster run that names no key, where that terminates it at once."""
    world.clusters.known[CLUSTER_ID] = a_cluster(log_key_identifier=None)
    world.keys.facts = {ANOTHER_KEY.arn: ANOTHER_KEY}
    policy = reencrypting(default_key=ANOTHER_KEY.arn)
    enforcement = replace(
        policy.enforcement,
        allowed=True,
        grace_running=timedelta(hours=1),
        unless_reencrypted=unless_reencrypted,
    )
    world.policy = replace(policy, mode=Mode.ENFORCE, enforcement=enforcement)


def test_cluster_whose_logs_are_reencrypted_is_not_terminated_and_alerts_say_so(
    world: World,
) -> None:
    without_a_key(world)
    world.check()
    assert world.kinds == ["finding.opened", "enforcement.scheduled"]
    write(world, LOG)
    reencrypt(world)

    assert world.kinds[2:] == ["enforcement.skipped", "remediation.done"]
    world.passes(minutes=30)
    write(world, f"{LOG}-2")
    reencrypt(world)
    world.passes(minutes=31)
    world.check()
    assert world.queue.sent == []
    assert logs_reencrypted(world.records.values(), world.policy, world.now)

    world.passes(hours=23, minutes=50)
    write(world, f"{LOG}-3")
    reencrypt(world)
    world.check()
    reminder = next(a for a in world.alerts.published if a.kind == "finding.reminder")
    assert reminder.next_step is NextStep.NOTHING_WHILE_REENCRYPTED
    assert "re-encrypted within a minute" in reminder.detail


@pytest.mark.parametrize("reason", ["switched off", "silence", "failure", "left over"])
def test_cluster_is_terminated_when_its_logs_are_not_all_reencrypted(
    world: World, reason: str
) -> None:
    without_a_key(world, unless_reencrypted=reason != "switched off")
    world.check()
    write(world, LOG)
    reencrypt(world)
    world.passes(minutes=59)
    if reason == "silence":
        world.passes(hours=24)
    else:
        write(world, f"{LOG}-2")
        reencrypt(world)
    if reason == "failure":
        write(world, f"{LOG}-3", head=encrypted(SSE_C))
        reencrypt(world)
    if reason == "left over":
        write(world, f"{LOG}-3")
        world.passes(seconds=REMEDIED.total_seconds())
    world.passes(minutes=5)

    world.check()

    assert not logs_reencrypted(world.records.values(), world.policy, world.now) or (
        reason == "switched off"
    )
    assert [each.cluster_arn for each in world.queue.sent] == [a_cluster().arn]


def test_enforce_does_not_terminate_a_cluster_whose_logs_are_reencrypted(world: World) -> None:
    without_a_key(world, unless_reencrypted=False)
    world.check()
    write(world, LOG)
    reencrypt(world)
    world.passes(minutes=65)
    world.check()
    [request] = world.queue.sent
    enforcement = replace(world.policy.enforcement, unless_reencrypted=True)
    world.policy = replace(world.policy, enforcement=enforcement)

    assert world.enforce(request) is NextStep.SKIPPED_NO_LONGER_REQUIRED
    assert f"terminate {CLUSTER_ID}" not in world.journal


def test_violations_of_rules_not_about_the_key_still_terminate(world: World) -> None:
    without_a_key(world)
    world.clusters.known[CLUSTER_ID] = a_cluster(release_label="emr-5.29.0")
    world.keys.facts = {KEY.arn: KEY}
    write(world, LOG)
    reencrypt(world)
    world.check()
    world.passes(minutes=65)
    write(world, f"{LOG}-2")
    reencrypt(world)

    world.check()

    assert [each.cluster_arn for each in world.queue.sent] == [a_cluster().arn]


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.PENDING_DELETION])
def test_key_that_became_unusable_since_the_check_is_not_used(
    world: World, state: KeyState
) -> None:
    write(world, LOG)
    world.keys.facts = {KEY.arn: a_key(state=state)}

    assert reencrypt(world) == ()

    assert world.objects.updates == []
    assert f"{KEY.arn} is {state}: enable it, or name another" in world.alerts.published[-1].detail


def test_key_that_became_unusable_since_it_was_read_leaves_the_object_with_an_alert(
    world: World,
) -> None:
    write(world, LOG)
    refused = "s3:UpdateObjectEncryption answered KMS.DisabledException: enable the key"
    world.objects.refusals[LOG] = ReencryptionRefusedError(refused)

    assert reencrypt(world) == ()

    assert world.records["EMRLOG-101"].open
    assert world.records["EMRLOG-101"].reencryption.count == 0
    assert refused in world.alerts.published[-1].detail


def test_object_with_dual_layer_encryption_is_left_with_an_alert(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    write(world, LOG, head=encrypted("aws:kms:dsse", ANOTHER_KEY.arn))

    assert reencrypt(world) == ()

    assert world.objects.updates == []
    assert "--sse aws:kms:dsse" in world.alerts.published[-1].detail


def test_object_replaced_by_a_compliant_one_during_the_update_is_not_touched_again(
    world: World,
) -> None:
    write(world, LOG)
    requests = requested(world)
    world.objects.unchanged.add(LOG)
    reencrypt(world, requests)
    world.objects.heads = {**world.objects.heads, LOG: encrypted("aws:kms", KEY.arn)}

    assert reencrypt(world, requests) == ()

    assert updated(world) == [LOG]
    assert not world.records["EMRLOG-101"].open
    assert world.records["EMRLOG-101"].reencryption.count == 0


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (replace(ANOTHER_KEY, state=KeyState.DISABLED), "is Disabled"),
        (replace(ANOTHER_KEY, state=KeyState.PENDING_DELETION), "is PendingDeletion"),
        (KeyNotFound(ANOTHER_KEY.arn, "NotFoundException"), "does not exist"),
    ],
)
def test_default_key_that_became_unusable_is_not_used_and_alerted_once_a_day(
    world: World, fact: KeyFact, says: str
) -> None:
    world.clusters.known[CLUSTER_ID] = a_cluster(log_key_identifier=None)
    world.keys.facts = {ANOTHER_KEY.arn: fact}
    world.policy = reencrypting(default_key=ANOTHER_KEY.arn)
    for n in range(3):
        write(world, f"{LOG}-{n}")
        assert reencrypt(world) == ()
        world.passes(minutes=10)

    assert world.objects.updates == []
    assert world.kinds.count("remediation.failed") == 1
    [problem] = world.alerts.policy_problems
    assert problem.in_force
    assert problem.problems[0].startswith("reencryption.default_key: ")
    assert says in problem.problems[0]

    world.passes(hours=24)
    write(world, f"{LOG}-3")
    reencrypt(world)
    assert len(world.alerts.policy_problems) == 2


def test_default_key_that_is_not_approved_any_more_is_alerted(world: World) -> None:
    world.clusters.known[CLUSTER_ID] = a_cluster(log_key_identifier=None)
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    policy = reencrypting(default_key=ANOTHER_KEY.arn)
    world.policy = replace(policy, approved_keys=(KEY.arn,))
    write(world, LOG)

    reencrypt(world)

    assert world.objects.updates == []
    [problem] = world.alerts.policy_problems
    assert "not one of approved_keys" in problem.problems[0]


def test_usable_default_key_is_not_alerted_because_of_another_refusal(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    world.policy = reencrypting(default_key=ANOTHER_KEY.arn)
    write(world, LOG, head=encrypted(SSE_C))

    reencrypt(world)

    assert "remediation.failed" in world.kinds
    assert world.alerts.policy_problems == []


def test_error_after_the_update_affects_only_its_object_which_is_counted_later(
    world: World,
) -> None:
    write(world, LOG, f"{LOG}-2")
    requests = requested(world)
    world.objects.after[LOG] = RuntimeError("s3:HeadObject answered 503")

    assert reencrypt(world, requests) == (requests[0],)
    assert world.records["EMRLOG-101"].reencryption.count == 1

    world.objects.after.clear()
    assert reencrypt(world, requests) == ()
    assert sorted(updated(world)) == [LOG, f"{LOG}-2"]
    assert world.records["EMRLOG-101"].reencryption.count == 2
    assert not world.records["EMRLOG-101"].open


def test_reached_budget_is_alerted_once_for_all_batches(world: World) -> None:
    world.policy = reencrypting(max_objects_per_hour=1)
    write(world, *(f"{LOG}-{n}" for n in range(4)))
    for request in requested(world):
        assert reencrypt(world, [request]) == ()

    assert len(updated(world)) == 1
    assert len(world.reencryptions.sent) == 3
    assert world.kinds.count("remediation.failed") == 1
