from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.domain.decide import NextStep
from emr_log_guard.domain.termination import (
    CALL,
    REQUEST_AGAIN,
    SCHEDULE_LATE,
    VERIFY,
    Stage,
    Termination,
    on_cancelled,
    on_request,
    on_request_failed,
    on_scheduled,
    on_scheduling,
)
from tests.unit.builders import CLUSTER_ID, NOW

SECOND = timedelta(seconds=1)
ENDING = (Stage.CALLING, Stage.ACCEPTED, Stage.OVERDUE)


def at(stage: Stage) -> Termination:
    return Termination(
        cluster_id=CLUSTER_ID, stage=stage, at=NOW, owner="mine", policy_version=3, due=None
    )


def scheduled(due: timedelta) -> Termination:
    return Termination(cluster_id=CLUSTER_ID, stage=Stage.SCHEDULED, at=NOW, due=NOW + due)


@pytest.mark.parametrize("stage", Stage)
def test_termination_is_in_progress_from_the_call_until_it_was_notified(stage: Stage) -> None:
    assert at(stage).in_progress is (stage in ENDING)


@pytest.mark.parametrize("stage", Stage)
def test_termination_counts_as_scheduled_before_its_schedule_is_created(stage: Stage) -> None:
    assert at(stage).scheduled is (stage in (Stage.SCHEDULING, Stage.SCHEDULED))


@pytest.mark.parametrize("stage", Stage)
def test_only_a_recent_call_belongs_to_another_invocation(stage: Stage) -> None:
    calling = stage is Stage.CALLING

    assert at(stage).called_by_another("another", NOW + CALL - SECOND) is calling
    assert not at(stage).called_by_another("another", NOW + CALL)
    assert not at(stage).called_by_another("mine", NOW)


@pytest.mark.parametrize(
    ("stage", "after"),
    [
        (Stage.REQUESTED, REQUEST_AGAIN),
        (Stage.FAILED, REQUEST_AGAIN),
        (Stage.SKIPPED, REQUEST_AGAIN),
        *((stage, 4 * VERIFY) for stage in ENDING),
    ],
)
def test_repeated_request_is_possible_only_after_an_interval(
    stage: Stage, after: timedelta
) -> None:
    asked = replace(at(stage), answered=stage is Stage.SKIPPED)

    assert not asked.may_be_requested(NOW + after - SECOND, 3)
    assert asked.may_be_requested(NOW + after, 3)


def test_skipped_termination_may_be_requested_at_once_under_another_policy() -> None:
    assert replace(at(Stage.SKIPPED), answered=True).may_be_requested(NOW, 4)


def test_termination_cancelled_without_an_answer_may_be_requested_at_once() -> None:
    assert at(Stage.SKIPPED).may_be_requested(NOW, 3)


@pytest.mark.parametrize("policy_version", [3, 4])
def test_completed_termination_is_never_requested_again(policy_version: int) -> None:
    assert not at(Stage.DONE).may_be_requested(NOW + timedelta(days=9), policy_version)


def test_termination_is_not_requested_while_its_schedule_may_fire() -> None:
    due = timedelta(hours=1)

    assert scheduled(due).may_be_requested(NOW + due - SECOND, 3)
    assert not scheduled(due).may_be_requested(NOW + due, 3)
    assert not scheduled(due).may_be_requested(NOW + due + SCHEDULE_LATE - SECOND, 3)
    assert scheduled(due).may_be_requested(NOW + due + SCHEDULE_LATE, 3)


@pytest.mark.parametrize("stage", [Stage.SCHEDULING, Stage.SCHEDULED])
def test_schedule_that_may_not_exist_does_not_prevent_a_request(stage: Stage) -> None:
    assert at(stage).may_be_requested(NOW, 3)


@pytest.mark.parametrize("stage", Stage)
def test_only_an_accepted_termination_can_miss_its_verification(stage: Stage) -> None:
    late = NOW + VERIFY + REQUEST_AGAIN

    assert at(stage).verification_missed(late) is (stage is Stage.ACCEPTED)
    assert not at(stage).verification_missed(late - SECOND)


@pytest.mark.parametrize("stage", Stage)
def test_unanswered_call_may_count_as_accepted_until_verification(
    stage: Stage,
) -> None:
    called = stage is Stage.CALLING
    accepted = stage in (Stage.ACCEPTED, Stage.OVERDUE)
    unanswered = replace(at(stage), unanswered_at=NOW)

    assert at(stage).may_be_accepted(NOW + VERIFY - SECOND) is (called or accepted)
    assert at(stage).may_be_accepted(NOW + VERIFY) is accepted
    assert unanswered.may_be_accepted(NOW + VERIFY - SECOND)
    assert unanswered.may_be_accepted(NOW + VERIFY) is accepted


def test_notifications_with_different_causes_are_distinguished() -> None:
    failed = at(Stage.FAILED).with_notified("refused", "AccessDenied")

    assert failed.was_notified("refused", "AccessDenied")
    assert not failed.was_notified("refused", "ValidationException")
    assert not failed.was_notified("refused")
    assert failed.with_notified("refused", "AccessDenied").notified == failed.notified


LATER = NOW + timedelta(minutes=5)
DUE = NOW + timedelta(hours=1)
BEGUN = Termination(
    cluster_id=CLUSTER_ID,
    stage=Stage.SCHEDULING,
    at=LATER,
    rules=("EMRLOG-002",),
    due=DUE,
    policy_version=4,
)
NOTIFIED = ("skipped_protected",)


def known(stage: Stage) -> Termination:
    return replace(at(stage), rules=("EMRLOG-001",), due=DUE, reason="why", notified=NOTIFIED)


def test_first_request_is_recorded() -> None:
    assert on_request(None, BEGUN, announced=True) == replace(BEGUN, stage=Stage.REQUESTED)


@pytest.mark.parametrize("stage", Stage)
def test_request_is_recorded_unless_enforcement_has_begun(stage: Stage) -> None:
    noted = on_request(known(stage), BEGUN, announced=False)

    if stage in (*ENDING, Stage.DONE):
        assert noted == known(stage)
    else:
        assert (noted.stage, noted.at, noted.rules) == (Stage.REQUESTED, LATER, BEGUN.rules)
        assert (noted.due, noted.reason, noted.policy_version) == (None, "", 4)
        assert noted.owner == "mine"


@pytest.mark.parametrize("note", [on_request, on_scheduling])
def test_earlier_notifications_are_forgotten_only_by_a_new_announcement(
    note: Callable[..., Termination],
) -> None:
    assert note(known(Stage.SKIPPED), BEGUN, announced=False).notified == NOTIFIED
    assert note(known(Stage.SKIPPED), BEGUN, announced=True).notified == ()


def test_request_without_rules_keeps_the_known_rules() -> None:
    nameless = replace(BEGUN, rules=())

    assert on_request(known(Stage.SKIPPED), nameless, announced=False).rules == ("EMRLOG-001",)


@pytest.mark.parametrize("stage", Stage)
def test_failed_request_is_withdrawn_only_by_its_own_invocation(stage: Stage) -> None:
    mine = replace(known(stage), at=LATER)

    taken_back = replace(mine, stage=Stage.SKIPPED) if stage is Stage.REQUESTED else mine
    assert on_request_failed(mine, BEGUN) == taken_back
    assert on_request_failed(known(stage), BEGUN) == known(stage)
    assert on_request_failed(None, BEGUN) == BEGUN


@pytest.mark.parametrize("stage", Stage)
def test_schedule_is_recorded_unless_emr_was_called(stage: Stage) -> None:
    noted = on_scheduling(known(stage), BEGUN, announced=False)

    if stage in ENDING:
        assert noted == known(stage)
    else:
        assert (noted.stage, noted.due, noted.rules) == (Stage.SCHEDULING, DUE, BEGUN.rules)
    assert on_scheduling(None, BEGUN, announced=True) == BEGUN


@pytest.mark.parametrize("stage", Stage)
def test_created_schedule_is_recorded_unless_the_stage_has_changed(stage: Stage) -> None:
    begun = stage is Stage.SCHEDULING

    assert on_scheduled(known(stage), BEGUN).stage is (Stage.SCHEDULED if begun else stage)
    assert on_scheduled(replace(known(stage), due=LATER), BEGUN).stage is stage
    assert on_scheduled(None, BEGUN) == replace(BEGUN, stage=Stage.SCHEDULED)


@pytest.mark.parametrize("stage", Stage)
def test_only_a_scheduled_termination_is_cancelled(stage: Stage) -> None:
    cancelled = on_cancelled(known(stage), BEGUN)

    assert cancelled.due is None
    if stage in (Stage.SCHEDULING, Stage.SCHEDULED):
        assert (cancelled.stage, cancelled.at) == (Stage.SKIPPED, LATER)
        assert cancelled.reason == NextStep.TERMINATION_CANCELLED
    else:
        assert cancelled == replace(known(stage), due=None)
    assert on_cancelled(None, BEGUN).stage is Stage.SKIPPED
