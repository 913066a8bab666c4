"""What AWS's failures, races and repeated deliveries must not do: the smallest case of each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.adapters.dynamodb import DynamoFindingRepository
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.decide import (
    Action,
    Alert,
    NextStep,
    RequestEnforcement,
    ScheduleEnforcement,
)
from emr_log_guard.domain.finding_record import (
    LEASE,
    PENDING_LATE,
    STILL_WRITTEN,
    TRANSIENT_QUIET,
    ClusterSnapshot,
)
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.keys import KeyState
from emr_log_guard.domain.policy import Enforcement, Policy
from emr_log_guard.domain.termination import CALL, REQUEST_AGAIN, VERIFY, Stage, Termination
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    AlertInProgressError,
    AlertNotAcceptedError,
    NotReadableError,
    StalePolicyError,
    TerminationInProgressError,
    TerminationNotAcceptedError,
    TerminationRefusedError,
    WriteConflictError,
)
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.events.log_objects import LogObjectCheckRequest
from emr_log_guard.events.review import ReviewRequest
from emr_log_guard.observability import metrics
from emr_log_guard.usecases.checks.review import ReviewFindings
from emr_log_guard.usecases.findings import ATTEMPTS, CheckResult, Recorded
from tests.unit.builders import (
    CLUSTER_ID,
    KEY,
    NOW,
    a_cluster,
    a_key,
    a_log_object,
    a_policy,
    an_exemption,
    encrypted,
)
from tests.unit.fakes import FakeAlerts, FakeRechecks, FakeSchedules
from tests.unit.usecases.world import World, created

NO_KEY = a_cluster(log_key_identifier=None)
REQUEST = RequestEnforcement(NO_KEY.arn)
VERIFICATION = replace(REQUEST, verify=True)
TERMINATE = f"terminate {CLUSTER_ID}"
REFUSED = AlertNotAcceptedError("sns:Publish answered InternalError")
TIMED_OUT = TimeoutError("SNS did not answer")
BUSY = TerminationNotAcceptedError(
    "elasticmapreduce:TerminateJobFlows answered InternalServerError"
)
SCHEDULER_AWAY = ConnectionError("Scheduler is away")
GRACE = timedelta(hours=1)


@pytest.fixture
def bad(world: World) -> World:
    """A running cluster without a key, to be terminated at once."""
    seen(world, NO_KEY)
    return world


def seen(world: World, cluster: Cluster, state: str | None = None) -> None:
    """Have EMR describe the cluster so from now on."""
    world.clusters.known = {CLUSTER_ID: replace(cluster, state=state or cluster.state)}


def stage(world: World) -> Stage:
    assert world.termination is not None
    return world.termination.stage


def rules_of(alert: Alert) -> list[str]:
    return [finding.rule_id for finding in alert.findings]


class Unanswered(FakeAlerts):
    """SNS, which accepts and answers too late."""

    def publish(self, alert: Alert) -> None:
        super().publish(alert)
        raise TIMED_OUT


# Clusters that are known, and were never evaluated


def test_terminated_cluster_known_only_from_a_log_object_is_evaluated_and_alerted(
    bad: World,
) -> None:
    bad.repository.write_snapshot(ClusterSnapshot(NO_KEY), None)
    seen(bad, NO_KEY, "TERMINATED")

    bad.check()

    assert bad.kinds == ["finding.opened"]
    assert bad.records["EMRLOG-002"].finding.compliance is Compliance.NON_COMPLIANT


# Policies


def stored(policy: Policy, seconds: float, version: int) -> Policy:
    return replace(policy, stored_at=NOW + timedelta(seconds=seconds), version=version)


def test_older_cached_policy_is_read_again_and_causes_no_second_announcement(
    bad: World,
) -> None:
    older, newer = stored(a_policy(Mode.ALERT), 0, 1), stored(a_policy(grace=GRACE), 60, 2)
    bad.policy = older
    bad.check()
    bad.policy = newer
    bad.check()
    changed = [*bad.kinds]

    policies = {False: older, True: newer}  # the cached policy and the stored one
    asked: list[bool] = []

    def read(*, force_refresh: bool = False) -> Policy:
        asked.append(force_refresh)
        return policies[force_refresh]

    replace(bad.check_cluster, policy=read)(ClusterCheckRequest(CLUSTER_ID))

    assert asked == [False, True]
    assert bad.kinds == changed == ["finding.opened", "enforcement.scheduled"]
    assert bad.schedules.existing


def test_policy_overtaken_during_the_check_is_read_again(bad: World) -> None:
    older, newer = stored(a_policy(Mode.ALERT), 0, 1), stored(a_policy(grace=GRACE), 60, 2)
    bad.policy = newer
    bad.check()
    bad.policy = older
    overtaken = bad.records["EMRLOG-002"]
    bad.repository.write(replace(overtaken, decided_under=None))
    policies = iter((older, newer))

    def others_decide() -> None:
        bad.repository.write(replace(bad.records["EMRLOG-002"], decided_under=newer.stored_at))

    bad.passes(minutes=10)  # long enough for the finding to be written again
    bad.table.before_put = [others_decide]
    check = replace(bad.check_cluster, policy=lambda **_: next(policies))

    check(ClusterCheckRequest(CLUSTER_ID))

    assert bad.kinds == ["finding.opened", "enforcement.scheduled"]


def test_decision_under_an_older_policy_raises_stale_policy(bad: World) -> None:
    bad.policy = stored(a_policy(), 60, 2)
    bad.check()

    with pytest.raises(StalePolicyError, match="a newer policy than version 1"):
        bad.record(CheckResult(CLUSTER_ID, NO_KEY), stored(a_policy(Mode.ALERT), 0, 1))


def test_log_objects_are_evaluated_under_the_policy_read_again(world: World) -> None:
    older, newer = stored(a_policy(Mode.OBSERVE), 0, 1), stored(a_policy(Mode.ALERT), 60, 2)
    key = f"emr/{CLUSTER_ID}/a"
    world.objects.heads = {key: encrypted("AES256")}
    world.policy = newer
    seen(world, NO_KEY)
    world.check()
    check = replace(
        world.check_log_objects, policy=lambda *, force_refresh=False: [older, newer][force_refresh]
    )

    assert check.check([check.read(created(key))]) == ()

    assert rules_of(world.alerts.published[-1]) == ["EMRLOG-101"]


# Terminations: who did it, and what was notified of it


def test_termination_is_alerted_as_done_although_an_old_record_is_written_after_it(
    bad: World,
) -> None:
    bad.check()
    announced = bad.records["EMRLOG-002"]
    bad.enforce(REQUEST)
    bad.repository.write(announced)  # by a check that was about to write for three seconds
    seen(bad, NO_KEY, "TERMINATED")

    bad.check()
    bad.check()

    assert bad.kinds == ["finding.opened", "enforcement.done"]


def die_at_the_call(bad: World) -> None:
    """Have the function die after it called EMR, which may have accepted."""
    bad.clusters.failures["terminate"] = ConnectionError("died")
    with pytest.raises(ConnectionError, match="died"):
        bad.enforce(REQUEST)


def test_termination_interrupted_after_the_call_is_alerted_as_done(bad: World) -> None:
    bad.check()
    die_at_the_call(bad)
    assert stage(bad) is Stage.CALLING
    seen(bad, NO_KEY, "TERMINATED")

    bad.check()

    assert bad.kinds == ["finding.opened", "enforcement.done"]


def test_repeated_failed_calls_cause_one_alert_and_a_later_termination_is_not_alerted_as_done(
    bad: World,
) -> None:
    bad.check()
    bad.clusters.failures["terminate"] = BUSY
    failures = []
    for _ in range(7):
        with pytest.raises(TerminationNotAcceptedError):
            bad.enforce(REQUEST)
        failures.append(bad.kinds.count("enforcement.failed"))
        bad.passes(seconds=30)

    assert failures == [0, 0, 0, 0, 1, 1, 1]
    assert bad.alerts.published[-1].detail == f"{BUSY}, 5 times"

    seen(bad, NO_KEY, "TERMINATED")
    bad.check()

    assert bad.kinds[-1] == "finding.resolved"
    assert "enforcement.done" not in bad.kinds


def test_refused_termination_is_alerted_once_for_repeated_requests(bad: World) -> None:
    bad.check()
    bad.clusters.failures["terminate"] = TerminationRefusedError("answered AccessDenied")

    for _ in range(5):
        assert bad.enforce(REQUEST) is NextStep.TERMINATION_REFUSED

    assert bad.kinds == ["finding.opened", "enforcement.failed"]
    assert stage(bad) is Stage.FAILED


def test_refusal_for_another_reason_is_alerted(bad: World) -> None:
    bad.check()
    for reason in ("answered AccessDenied", "answered ValidationException"):
        bad.clusters.failures["terminate"] = TerminationRefusedError(reason)
        bad.enforce(REQUEST)

    assert [alert.detail for alert in bad.alerts.published[1:]] == [
        "answered AccessDenied",
        "answered ValidationException",
    ]


@pytest.mark.parametrize("died", [False, True])
def test_termination_is_verified_once_and_alerted_once_as_still_running(
    bad: World, *, died: bool
) -> None:
    bad.check()
    if died:
        die_at_the_call(bad)
    else:
        bad.enforce(REQUEST)
    bad.queue.sent = [sent for sent in bad.queue.sent if sent.verify]
    seen(bad, NO_KEY, "TERMINATING")

    for _ in range(5):
        bad.enforce(REQUEST)
    assert bad.queue.sent == [VERIFICATION]

    bad.passes(minutes=15)
    for _ in range(5):
        assert bad.enforce(VERIFICATION) is NextStep.STILL_RUNNING

    assert bad.kinds == ["finding.opened", "enforcement.failed"]


def test_termination_being_called_raises_in_progress_until_the_call_expires(bad: World) -> None:
    bad.check()
    die_at_the_call(bad)
    del bad.clusters.failures["terminate"]

    with pytest.raises(TerminationInProgressError):
        bad.enforce(REQUEST)
    assert bad.journal.count(TERMINATE) == 1

    bad.now += CALL
    assert bad.enforce(REQUEST) is NextStep.TERMINATION_STARTED
    assert bad.journal.count(TERMINATE) == 2


def test_only_the_first_of_two_concurrent_invocations_terminates(bad: World) -> None:
    bad.check()

    def first() -> None:
        assert bad.termination is not None
        bad.repository.write_termination(replace(bad.termination, stage=Stage.CALLING))

    bad.table.before_put = [first, lambda: None]  # after the decision was recorded

    with pytest.raises(
        TerminationInProgressError, match="another invocation updated the termination"
    ):
        bad.enforce(REQUEST)

    assert TERMINATE not in bad.journal


def test_cluster_in_termination_is_not_alerted_as_skipped(bad: World) -> None:
    bad.check()
    bad.enforce(REQUEST)
    for state in ("TERMINATING", "TERMINATING", "TERMINATED"):
        seen(bad, NO_KEY, state)
        for _ in range(5):
            bad.check()
            bad.enforce(REQUEST)
        bad.passes(minutes=1)

    assert bad.kinds == ["finding.opened", "enforcement.done"]


def test_completed_termination_is_not_overwritten_by_a_late_write(bad: World) -> None:
    bad.check()
    done = Termination(cluster_id=CLUSTER_ID, stage=Stage.DONE, at=NOW)

    class Quick(type(bad.clusters)):  # type: ignore[misc]
        def terminate(self, cluster_id: str) -> None:
            super().terminate(cluster_id)
            assert bad.termination is not None
            bad.repository.write_termination(replace(done, version=bad.termination.version))

    bad.clusters = Quick(NO_KEY, journal=bad.journal)

    assert bad.enforce(REQUEST) is NextStep.TERMINATION_STARTED

    assert stage(bad) is Stage.DONE


@pytest.mark.parametrize(
    ("transient", "error"), [(True, NotReadableError), (False, None)], ids=["passing", "lasting"]
)
def test_key_unreadable_at_enforcement_does_not_terminate(
    world: World, error: type[Exception] | None, *, transient: bool
) -> None:
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED)}
    world.check()
    world.keys.facts = {KEY.arn: Unresolved("kms:DescribeKey answered Throttling", transient)}

    if error:
        with pytest.raises(error):
            world.enforce(REQUEST)
        assert world.kinds == ["finding.opened"]
        assert stage(world) is Stage.REQUESTED
    else:
        assert world.enforce(REQUEST) is NextStep.SKIPPED_UNDETERMINED
        assert world.kinds == ["finding.opened", "enforcement.skipped"]
    assert TERMINATE not in world.journal


# Notifications


def test_unanswered_alert_is_sent_again_with_the_same_id_after_the_lease(
    bad: World,
) -> None:
    bad.alerts = Unanswered(bad.journal)
    with pytest.raises(TimeoutError):
        bad.check()

    with pytest.raises(AlertInProgressError):
        bad.check()
    assert bad.kinds == ["finding.opened"]

    bad.now += LEASE
    with pytest.raises(TimeoutError):
        bad.check()

    first, second = bad.alerts.published
    assert first.id == second.id != ""


def test_alert_rejected_by_sns_is_sent_again_at_once(bad: World) -> None:
    bad.alerts.failure = REFUSED
    with pytest.raises(AlertNotAcceptedError):
        bad.check()
    assert bad.records["EMRLOG-002"].lease is None
    bad.alerts.failure = None

    bad.check()

    assert bad.kinds == ["finding.opened"]


def test_only_the_rejected_one_of_two_alerts_is_sent_again(bad: World) -> None:
    bad.policy = a_policy(grace=GRACE)

    class Second(FakeAlerts):
        def publish(self, alert: Alert) -> None:
            if self.published:
                raise REFUSED
            super().publish(alert)

    bad.alerts = Second(bad.journal)
    with pytest.raises(AlertNotAcceptedError):
        bad.check()
    first = bad.alerts.published[0]
    bad.alerts = FakeAlerts(bad.journal)
    bad.check()

    assert (first.kind, *bad.kinds) == ("finding.opened", "enforcement.scheduled")


def test_different_alerts_have_different_ids(bad: World) -> None:
    bad.check()
    bad.passes(days=2)
    bad.check()
    bad.passes(days=2)
    bad.check()

    assert len({alert.id for alert in bad.alerts.published}) == len(bad.alerts.published) == 3


def test_batch_returns_only_the_objects_of_the_cluster_that_failed(
    world: World,
) -> None:
    other = a_cluster(id="j-3BYYYYYYHBQMG", arn=NO_KEY.arn.replace(CLUSTER_ID, "j-3BYYYYYYHBQMG"))
    world.clusters.known = {CLUSTER_ID: NO_KEY, other.id: other}
    world.policy = a_policy(Mode.ALERT)
    keys = [f"emr/{CLUSTER_ID}/a", f"emr/{other.id}/b", f"emr/{CLUSTER_ID}/c"]
    world.objects.heads = dict.fromkeys(keys, encrypted("AES256"))

    class OneFails(FakeAlerts):
        def publish(self, alert: Alert) -> None:
            if alert.cluster_arn == NO_KEY.arn:
                raise REFUSED
            super().publish(alert)

    world.alerts = OneFails(world.journal)
    check = world.check_log_objects

    failed = check.check([check.read(created(key)) for key in keys])

    assert [read.request.version.key for read in failed] == [keys[0], keys[2]]
    assert [alert.cluster_arn for alert in world.alerts.published] == [other.arn]


def test_failed_schedule_is_created_later_without_repeating_alerts(bad: World) -> None:
    class Down(FakeSchedules):
        def put(self, schedule: ScheduleEnforcement) -> None:
            super().put(schedule)
            raise SCHEDULER_AWAY

    bad.policy = a_policy(grace=GRACE)
    bad.schedules = Down()
    for _ in range(3):
        with pytest.raises(ConnectionError, match="Scheduler is away"):
            bad.check()
    assert stage(bad) is Stage.SCHEDULING
    bad.schedules = FakeSchedules(bad.journal)

    bad.check()
    bad.check()

    assert bad.journal == [
        "publish finding.opened",
        "publish enforcement.scheduled",
        "schedule",
    ]
    assert stage(bad) is Stage.SCHEDULED


def test_schedule_cancelled_during_its_creation_is_deleted(bad: World) -> None:
    class Slow(FakeSchedules):
        def put(self, schedule: ScheduleEnforcement) -> None:
            super().put(schedule)
            assert bad.termination is not None
            bad.repository.write_termination(replace(bad.termination, stage=Stage.SKIPPED))

    bad.policy = a_policy(grace=GRACE)
    bad.schedules = Slow(bad.journal)

    bad.check()

    assert bad.schedules.existing == {}
    assert bad.journal[-2:] == ["schedule", "cancel"]


def test_cluster_is_not_terminated_before_its_alert_was_accepted(bad: World) -> None:
    bad.alerts.failure = REFUSED
    with pytest.raises(AlertNotAcceptedError):
        bad.check()

    assert bad.enforce(REQUEST) is NextStep.SKIPPED_NOT_NOTIFIED
    assert TERMINATE not in bad.journal
    assert bad.rechecks.asked == [CLUSTER_ID]

    bad.alerts.failure = None
    bad.check()
    assert bad.enforce(REQUEST) is NextStep.TERMINATION_STARTED
    assert bad.kinds == ["finding.opened"]


def test_termination_is_not_requested_while_its_alert_is_in_progress(
    bad: World,
) -> None:
    bad.alerts.failure = TIMED_OUT
    with pytest.raises(TimeoutError):
        bad.check()
    bad.alerts.failure = None

    for _ in range(2):
        with pytest.raises(AlertInProgressError):
            bad.check()

    assert bad.queue.sent == []


def test_check_continues_once_the_alert_of_another_invocation_was_accepted(bad: World) -> None:
    bad.alerts.failure = TIMED_OUT
    with pytest.raises(TimeoutError):
        bad.check()
    waited: list[float] = []

    def accepted(seconds: float) -> None:
        waited.append(seconds)
        record = bad.records["EMRLOG-002"]
        bad.repository.write(replace(record, lease=None, pending_since=None))

    dispatcher = replace(bad.dispatcher, wait=accepted)
    replace(bad.check_cluster, dispatcher=dispatcher)(ClusterCheckRequest(CLUSTER_ID))

    assert waited == [1]


def test_resolution_found_while_the_violation_is_being_notified_is_notified_by_the_retry(
    world: World,
) -> None:
    world.policy = a_policy()
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED)}
    slow: list[Recorded] = []

    class Slow:
        def dispatch(self, recorded: Recorded) -> tuple[Action, ...]:
            slow.append(recorded)
            return ()

    request = ClusterCheckRequest(CLUSTER_ID)
    replace(world.check_cluster, dispatcher=Slow())(request)  # type: ignore[arg-type]
    world.keys.facts = {KEY.arn: KEY}
    world.passes(seconds=10)

    def go_on(_: float) -> None:
        while slow:
            world.dispatcher.dispatch(slow.pop())

    other = replace(world.check_cluster, dispatcher=replace(world.dispatcher, wait=go_on))
    with pytest.raises(AlertInProgressError):
        other(request)
    assert world.kinds == ["finding.opened"]

    world.check()
    assert world.kinds == ["finding.opened", "finding.resolved"]


def test_check_is_retried_when_the_awaited_alert_was_rejected(
    bad: World,
) -> None:
    bad.alerts.failure = TIMED_OUT
    with pytest.raises(TimeoutError):
        bad.check()
    bad.alerts.failure = None

    def refused(_: float) -> None:
        record = bad.records["EMRLOG-002"]
        if record.lease is not None:
            bad.repository.write(record.released(record.lease.owner))

    dispatcher = replace(bad.dispatcher, wait=refused)
    with pytest.raises(AlertInProgressError):
        replace(bad.check_cluster, dispatcher=dispatcher)(ClusterCheckRequest(CLUSTER_ID))
    bad.check()

    assert bad.kinds == ["finding.opened"]


def test_skipped_request_does_not_block_a_request_under_the_next_policy(
    bad: World,
) -> None:
    bad.policy = stored(a_policy(), 0, 1)
    bad.check()
    bad.policy = stored(a_policy(Mode.ALERT), 10, 2)
    assert bad.enforce(REQUEST) is NextStep.SKIPPED_NO_LONGER_REQUIRED
    bad.check()
    bad.passes(minutes=1)
    bad.policy = stored(a_policy(), 60, 3)

    bad.check()

    assert bad.kinds == ["finding.opened", "enforcement.skipped", "enforcement.scheduled"]
    assert bad.queue.sent == [REQUEST, REQUEST]
    assert bad.enforce(REQUEST) is NextStep.TERMINATION_STARTED


def test_skipped_termination_is_requested_again_under_the_same_policy_after_an_interval(
    bad: World,
) -> None:
    protected = replace(NO_KEY, termination_protected=True)
    seen(bad, protected)
    bad.check()
    bad.enforce(REQUEST)
    bad.check()
    assert bad.queue.sent == [REQUEST]

    bad.now += REQUEST_AGAIN
    bad.check()

    assert bad.queue.sent == [REQUEST, REQUEST]


class Nowhere:
    def recheck(self, request: LogObjectCheckRequest) -> None:
        raise AssertionError(request)


def review_late(world: World) -> tuple[dict[str, int], list[str], float]:
    """Review what is late: what came of it, what was asked for, and the metric."""
    metrics.clear_metrics()
    rechecks = FakeRechecks()
    review = ReviewFindings(
        world.repository, rechecks, Nowhere(), world.notify_change, world.clock, 200
    )
    answer = review(ReviewRequest("late"))
    return answer, rechecks.asked, metrics.metric_set["NotificationsPending"]["Value"][0]


def test_late_pending_notification_is_measured_and_its_cluster_rechecked(
    bad: World,
) -> None:
    bad.alerts.failure = TIMED_OUT
    with pytest.raises(TimeoutError):
        bad.check()
    bad.passes(seconds=PENDING_LATE.total_seconds() - 1)
    assert review_late(bad) == ({"clusters": 0, "log_objects": 0}, [], 0)

    bad.passes(seconds=1)
    assert review_late(bad) == ({"clusters": 1, "log_objects": 0}, [CLUSTER_ID], 1)

    bad.alerts.failure = None
    bad.check()
    bad.passes(minutes=1)
    assert bad.records["EMRLOG-002"].pending_since is None
    assert review_late(bad)[2] == 0


def test_resolution_that_was_not_alerted_is_pending(bad: World) -> None:
    bad.check()
    seen(bad, a_cluster())
    bad.passes(minutes=1)
    bad.alerts.failure = TIMED_OUT
    with pytest.raises(TimeoutError):
        bad.check()
    bad.now += PENDING_LATE

    assert review_late(bad)[1:] == ([CLUSTER_ID], 1)


@pytest.mark.parametrize(
    ("late", "asked"),
    [(timedelta(minutes=4), []), (PENDING_LATE, [CLUSTER_ID]), (timedelta(hours=2), [])],
)
def test_overdue_termination_has_its_cluster_rechecked(
    bad: World, late: timedelta, asked: list[str]
) -> None:
    bad.policy = a_policy(grace=GRACE)
    bad.check()
    bad.now += GRACE + late

    assert review_late(bad)[1:] == (asked, 0)


# Facts that AWS documents as transient


@pytest.fixture
def unknown_key(world: World) -> World:
    """A running cluster whose key KMS does not know, or not yet."""
    world.keys.facts = {}
    world.policy = a_policy(grace=GRACE)
    return world


def test_key_that_appears_within_minutes_causes_no_alert(unknown_key: World) -> None:
    world = unknown_key
    world.check()
    world.passes(seconds=TRANSIENT_QUIET.total_seconds() - 1)
    world.check()
    world.keys.facts = {KEY.arn: KEY}
    world.passes(minutes=1)
    world.check()

    assert world.kinds == []
    assert not world.records["EMRLOG-005"].open


def test_missing_key_is_undetermined_first_and_a_violation_after_it_has_lasted(
    unknown_key: World,
) -> None:
    world = unknown_key
    assert world.policy.enforcement.transient == timedelta(minutes=30)
    world.check()
    assert world.kinds == []

    world.now += TRANSIENT_QUIET
    assert review_late(world)[1] == [CLUSTER_ID]
    world.check()
    assert compliances(world) == ["INSUFFICIENT_DATA"]

    world.now = NOW + timedelta(minutes=29)
    world.check()
    assert world.enforce(REQUEST) is NextStep.SKIPPED_NO_LONGER_REQUIRED
    assert compliances(world) == ["INSUFFICIENT_DATA"]

    world.now = proven = NOW + timedelta(minutes=30)
    world.check()
    assert world.kinds == ["finding.opened", "finding.opened", "enforcement.scheduled"]
    assert compliances(world)[1:] == ["NON_COMPLIANT"] * 2
    assert world.schedules.existing[NO_KEY.arn].at == proven + GRACE

    world.now = proven + GRACE - timedelta(seconds=1)
    assert world.enforce(REQUEST) is NextStep.SKIPPED_IN_GRACE
    assert TERMINATE not in world.journal

    world.passes(seconds=1)
    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED


def test_proven_violation_without_grace_causes_one_alert_and_termination(
    unknown_key: World,
) -> None:
    world = unknown_key
    world.policy = a_policy(grace=timedelta(0))
    world.check()
    world.now += TRANSIENT_QUIET
    world.check()

    world.now = NOW + timedelta(minutes=30)
    world.check()

    assert world.kinds == ["finding.opened", "finding.opened"]
    assert world.alerts.published[1].next_step is NextStep.TERMINATION_REQUESTED
    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED


def compliances(world: World) -> list[str]:
    return [f.compliance for a in world.alerts.published for f in a.findings]


def test_missing_key_that_appeared_meanwhile_has_to_last_again(unknown_key: World) -> None:
    world = unknown_key
    for known in (False, True, False):
        world.keys.facts = {KEY.arn: KEY} if known else {}
        world.check()
        world.passes(minutes=20)

    world.check()

    assert world.records["EMRLOG-005"].finding.compliance is Compliance.INSUFFICIENT_DATA


# Log objects that are no longer written


OBJECTS_ENFORCED = Policy(
    Mode.ENFORCE,
    enforcement=Enforcement(frozenset({"EMRLOG-101"}), allowed=True, grace_running=timedelta(0)),
)


@pytest.mark.parametrize(
    ("age", "requested"), [(STILL_WRITTEN - timedelta(seconds=1), True), (STILL_WRITTEN, False)]
)
def test_only_a_log_object_written_within_the_hour_leads_to_an_enforcement_request(
    world: World, age: timedelta, *, requested: bool
) -> None:
    seen(world, NO_KEY)
    world.policy = OBJECTS_ENFORCED
    key = a_log_object().key
    world.objects.heads = {key: encrypted("AES256")}
    world.now += age
    check = world.check_log_objects

    check.check([check.read(created(key))])

    assert world.kinds == ["finding.opened"]
    assert bool(world.queue.sent) is requested
    assert world.records["EMRLOG-101"].newest == NOW


def test_log_object_older_than_an_hour_at_enforcement_does_not_terminate(world: World) -> None:
    seen(world, NO_KEY)
    world.policy = OBJECTS_ENFORCED
    key = a_log_object().key
    world.objects.heads = {key: encrypted("AES256")}
    check = world.check_log_objects
    check.check([check.read(created(key))])
    (request,) = world.queue.sent
    world.now += STILL_WRITTEN

    assert world.enforce(request) is NextStep.SKIPPED_NO_LONGER_REQUIRED
    assert TERMINATE not in world.journal


def test_missed_verification_is_requested_again(bad: World) -> None:
    bad.check()
    bad.enforce(REQUEST)
    bad.queue.sent.clear()
    seen(bad, NO_KEY, "TERMINATING")
    bad.now += VERIFY
    bad.check()
    assert bad.queue.sent == []

    bad.now += REQUEST_AGAIN
    bad.check()

    assert bad.queue.sent == [VERIFICATION]


# Others that write at the same time


class LostRaces(DynamoFindingRepository):
    """A repository in which another invocation always, or once, writes first."""

    def __init__(self, world: World, *, stage: Stage, times: int) -> None:
        super().__init__(world.table, "findings")
        self.at = world.now
        self.stage = stage
        self.times = times

    def write_termination(self, termination: Termination) -> Termination:
        if self.times:
            self.times -= 1
            known = self.read(CLUSTER_ID).termination
            theirs = known or Termination(cluster_id=CLUSTER_ID, stage=self.stage, at=self.at)
            super().write_termination(replace(theirs, stage=self.stage))
        return super().write_termination(termination)


@pytest.mark.parametrize("theirs", [Stage.CALLING, Stage.ACCEPTED, Stage.DONE])
def test_request_does_not_overwrite_a_termination_in_progress(bad: World, theirs: Stage) -> None:
    bad.repository = LostRaces(bad, stage=theirs, times=1)

    bad.check()

    assert bad.queue.sent == [REQUEST]
    assert stage(bad) is theirs


@pytest.mark.parametrize("theirs", [Stage.CALLING, Stage.ACCEPTED])
def test_schedule_does_not_overwrite_a_termination_in_progress(bad: World, theirs: Stage) -> None:
    bad.policy = a_policy(grace=GRACE)
    bad.repository = LostRaces(bad, stage=theirs, times=1)

    bad.check()

    assert stage(bad) is theirs


def test_cancellation_does_not_overwrite_a_termination_in_progress(bad: World) -> None:
    bad.policy = a_policy(grace=GRACE)
    bad.check()
    seen(bad, a_cluster())
    bad.passes(minutes=1)
    bad.repository = LostRaces(bad, stage=Stage.CALLING, times=1)

    bad.check()

    assert bad.journal[-1] == "cancel"
    assert stage(bad) is Stage.CALLING


def test_repeated_lost_races_for_the_termination_raise_write_conflict(
    bad: World,
) -> None:
    bad.repository = LostRaces(bad, stage=Stage.REQUESTED, times=ATTEMPTS)

    with pytest.raises(WriteConflictError, match="too many concurrent writes to the termination"):
        bad.check()


def test_repeated_lost_races_for_the_notification_raise_write_conflict(
    bad: World,
) -> None:
    class Busy(FakeAlerts):
        def publish(self, alert: Alert) -> None:
            super().publish(alert)
            bad.table.before_put = [others] * (2 * ATTEMPTS)

    def others() -> None:
        """Write the finding just before, unless that is what is being written."""
        rest, bad.table.before_put = bad.table.before_put, []
        bad.repository.write(bad.records["EMRLOG-002"])
        bad.table.before_put = rest

    bad.alerts = Busy(bad.journal)

    with pytest.raises(WriteConflictError, match="too many concurrent writes"):
        bad.check()


def test_exemption_and_its_end_are_recorded_as_decisions(bad: World) -> None:
    bad.policy = a_policy(Mode.ALERT)
    bad.check()
    bad.passes(minutes=1)
    bad.policy = a_policy(Mode.ALERT, exemptions=(an_exemption(),))
    bad.check()
    bad.check()
    bad.passes(minutes=1)
    bad.policy = a_policy(Mode.ALERT)
    bad.check()

    _, begun, over = [decision.decided for decision in bad.repository.decisions(CLUSTER_ID)]
    why = "moves to emr-7 in June (approved by security@example.com)"
    assert begun == (f"EMRLOG-002 is exempt until 2026-12-31: {why}",)
    assert over == ("EMRLOG-002 is no longer exempt",)


def test_deleted_schedule_of_a_terminated_cluster_is_not_recorded_as_a_cancellation(
    bad: World,
) -> None:
    bad.policy = a_policy(grace=GRACE)
    bad.check()
    bad.passes(hours=5)
    seen(bad, NO_KEY, "TERMINATED")
    bad.check()

    decisions = [decision.decided for decision in bad.repository.decisions(CLUSTER_ID)]
    assert decisions[-1][-1] == "delete the schedule of the termination"


def test_exemption_cancels_the_termination_and_is_recorded_as_a_decision(
    bad: World,
) -> None:
    bad.policy = a_policy(grace=GRACE)
    bad.check()
    bad.passes(minutes=1)
    bad.policy = a_policy(grace=GRACE, exemptions=(an_exemption(),))

    bad.check()

    decisions = [decision.decided for decision in bad.repository.decisions(CLUSTER_ID)]
    assert decisions[-1][-1] == "cancel the termination"
    assert bad.records["EMRLOG-002"].finding.status is Status.EXEMPT
    assert stage(bad) is Stage.SKIPPED
