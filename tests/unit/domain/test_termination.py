from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.domain.termination import (
    CALL,
    REQUEST_AGAIN,
    SCHEDULE_LATE,
    VERIFY,
    Stage,
    Termination,
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
def test_the_clusters_end_is_the_guards_from_the_call_until_it_was_notified(stage: Stage) -> None:
    assert at(stage).under_way is (stage in ENDING)


@pytest.mark.parametrize("stage", Stage)
def test_a_schedule_may_exist_from_before_it_is_made(stage: Stage) -> None:
    assert at(stage).scheduled is (stage in (Stage.SCHEDULING, Stage.SCHEDULED))


@pytest.mark.parametrize("stage", Stage)
def test_only_a_call_is_anothers_and_only_while_it_may_take(stage: Stage) -> None:
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
def test_what_was_asked_for_is_asked_for_again_only_after_a_while(
    stage: Stage, after: timedelta
) -> None:
    asked = replace(at(stage), answered=stage is Stage.SKIPPED)

    assert not asked.may_be_requested(NOW + after - SECOND, 3)
    assert asked.may_be_requested(NOW + after, 3)


def test_what_was_skipped_is_asked_for_at_once_under_another_policy() -> None:
    assert replace(at(Stage.SKIPPED), answered=True).may_be_requested(NOW, 4)


def test_what_was_cancelled_without_an_answer_is_asked_for_at_once() -> None:
    assert at(Stage.SKIPPED).may_be_requested(NOW, 3)


@pytest.mark.parametrize("policy_version", [3, 4])
def test_what_is_done_is_never_asked_for_again(policy_version: int) -> None:
    assert not at(Stage.DONE).may_be_requested(NOW + timedelta(days=9), policy_version)


def test_while_its_schedule_may_fire_nobody_else_asks() -> None:
    due = timedelta(hours=1)

    assert scheduled(due).may_be_requested(NOW + due - SECOND, 3)
    assert not scheduled(due).may_be_requested(NOW + due, 3)
    assert not scheduled(due).may_be_requested(NOW + due + SCHEDULE_LATE - SECOND, 3)
    assert scheduled(due).may_be_requested(NOW + due + SCHEDULE_LATE, 3)


@pytest.mark.parametrize("stage", [Stage.SCHEDULING, Stage.SCHEDULED])
def test_a_schedule_that_may_not_exist_keeps_nobody_from_asking(stage: Stage) -> None:
    assert at(stage).may_be_requested(NOW, 3)


@pytest.mark.parametrize("stage", Stage)
def test_only_an_accepted_termination_can_miss_its_verification(stage: Stage) -> None:
    late = NOW + VERIFY + REQUEST_AGAIN

    assert at(stage).verification_missed(late) is (stage is Stage.ACCEPTED)
    assert not at(stage).verification_missed(late - SECOND)


def test_a_notification_is_told_from_one_with_another_cause() -> None:
    failed = at(Stage.FAILED).with_notified("refused", "AccessDenied")

    assert failed.was_notified("refused", "AccessDenied")
    assert not failed.was_notified("refused", "ValidationException")
    assert not failed.was_notified("refused")
    assert failed.with_notified("refused", "AccessDenied").notified == failed.notified
