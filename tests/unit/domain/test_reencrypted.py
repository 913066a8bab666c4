"""The record of what was re-encrypted: attempts, counts and what is notified."""

from datetime import timedelta

import pytest

from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.reencrypted import (
    ATTEMPTS,
    FORMER_KEYS,
    HELD,
    OTHER_KEYS,
    PERIOD,
    SAMPLES,
    TRIES,
    Reencrypted,
    begin,
    evidence,
    finish,
    pending_failures,
    unrecorded,
    with_done_notified,
    with_failures,
    with_failures_notified,
    with_notified_from,
)
from emr_log_guard.domain.reencryption import Reencrypt
from tests.unit.builders import ANOTHER_KEY, KEY, NOW, a_log_object

LOG, OTHER = a_log_object("a"), a_log_object("b")
DECISION = Reencrypt(KEY.arn, "EMRLOG-101", "SSE-S3")
NEVER = Reencrypted()
DAY = timedelta(days=1)


def began(*versions: ObjectVersion, state: Reencrypted = NEVER, owner: str = "me") -> Reencrypted:
    return begin(state, dict.fromkeys(versions, DECISION), owner, NOW).state


def test_completed_attempt_is_counted() -> None:
    state, counted = finish(began(LOG, OTHER), {LOG: KEY.arn}, {}, NOW)

    assert counted == {LOG}
    assert (state.count, state.former, state.keys) == (1, {"SSE-S3": 1}, (KEY.arn,))
    assert (state.last, state.samples) == (NOW, (str(LOG),))
    assert unrecorded(state, OTHER, KEY.arn)
    assert not unrecorded(state, LOG, KEY.arn)


def test_attempt_that_was_not_begun_or_was_already_counted_is_not_counted() -> None:
    once, _ = finish(began(LOG), {LOG: KEY.arn}, {}, NOW)
    twice, counted = finish(once, {LOG: KEY.arn}, {}, NOW)

    assert (twice, counted) == (once, frozenset())


def test_object_is_left_to_the_invocation_that_holds_it_until_that_has_ended() -> None:
    state = began(LOG, owner="another")

    assert begin(state, {LOG: DECISION}, "me", NOW).held == {LOG}
    assert begin(state, {LOG: DECISION}, "another", NOW).mine == {LOG}
    assert begin(state, {LOG: DECISION}, "me", NOW + HELD).mine == {LOG}


def test_object_is_tried_three_times_a_day() -> None:
    state = NEVER
    for _ in range(TRIES):
        state, _ = finish(began(LOG, state=state), {}, {LOG: "refused"}, NOW)

    begun = begin(state, {LOG: DECISION, OTHER: DECISION}, "me", NOW)
    assert (set(begun.mine), set(begun.exhausted)) == ({OTHER}, {LOG})
    assert begin(state, {LOG: DECISION}, "me", NOW + PERIOD).mine == {LOG}


def test_temporary_error_does_not_count_as_a_failed_attempt() -> None:
    state = NEVER
    for _ in range(TRIES + 1):
        state, _ = finish(began(LOG, state=state), {}, {LOG: None}, NOW)

    assert begin(state, {LOG: DECISION}, "me", NOW).mine == {LOG}
    assert not state.failures


def test_no_further_object_is_tried_that_day_after_too_many_failures() -> None:
    versions = [a_log_object(f"{n}") for n in range(ATTEMPTS)]
    state, _ = finish(began(*versions), {}, dict.fromkeys(versions, "refused"), NOW)

    begun = begin(state, {LOG: DECISION, versions[0]: DECISION}, "me", NOW)
    assert (set(begun.mine), set(begun.exhausted)) == ({versions[0]}, {LOG})


def test_only_the_key_of_an_attempt_proves_that_it_succeeded() -> None:
    state = began(LOG)

    assert unrecorded(state, LOG, KEY.arn)
    assert not unrecorded(state, LOG, ANOTHER_KEY.arn)
    assert not unrecorded(state, OTHER, KEY.arn)
    failed, _ = finish(state, {}, {LOG: "refused"}, NOW)
    assert not unrecorded(failed, LOG, KEY.arn)


def test_failure_without_an_attempt_records_only_its_cause() -> None:
    state, _ = finish(NEVER, {}, {LOG: "it is encrypted with SSE-C"}, NOW)

    assert not state.attempts
    assert pending_failures(state, NOW) == ("it is encrypted with SSE-C",)


def test_continuing_failure_cause_is_notified_once_a_day() -> None:
    state = with_failures(NEVER, ["no key", "denied"], NOW)
    alerted = with_failures_notified(state, ["no key"], NOW)

    assert pending_failures(alerted, NOW) == ("denied",)
    later = NOW + DAY - timedelta(hours=1)
    going_on = with_failures(alerted, ["no key"], later)
    assert pending_failures(going_on, later) == ("denied",)
    assert "no key" in pending_failures(going_on, NOW + DAY)
    assert pending_failures(alerted, NOW + DAY) == ()
    assert with_failures(alerted, [], NOW + DAY).failures == {}


def test_count_is_unnotified_until_it_is_notified_and_when_it_has_grown() -> None:
    state, _ = finish(began(LOG), {LOG: KEY.arn}, {}, NOW)
    alerted = with_done_notified(state, NOW)
    more, _ = finish(began(OTHER, state=alerted), {OTHER: KEY.arn}, {}, NOW)

    assert [each.unnotified for each in (NEVER, state, alerted, more)] == [False, True, False, True]


def test_notified_state_is_merged_with_results_recorded_meanwhile() -> None:
    state, _ = finish(began(LOG), {LOG: KEY.arn}, {OTHER: "denied"}, NOW)
    alerted = with_failures_notified(with_done_notified(state, NOW), ["denied"], NOW)
    meanwhile = with_failures(state, ["no key"], NOW)

    merged = with_notified_from(meanwhile, alerted)

    assert (merged.notified, merged.notified_count) == (NOW, 1)
    assert pending_failures(merged, NOW) == ("no key",)


def test_former_keys_and_samples_are_limited() -> None:
    state = NEVER
    for n in range(FORMER_KEYS + 2):
        version = a_log_object(f"{n}")
        decision = Reencrypt(KEY.arn, "EMRLOG-103", f"key-{n}")
        state = begin(state, {version: decision}, "me", NOW).state
        state, _ = finish(state, {version: KEY.arn}, {}, NOW)

    assert len(state.former) == FORMER_KEYS + 1
    assert state.former[OTHER_KEYS] == 2
    assert sum(state.former.values()) == state.count == FORMER_KEYS + 2
    assert len(state.samples) == SAMPLES


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (NEVER, {}),
        (
            finish(began(LOG), {LOG: KEY.arn}, {}, NOW)[0],
            {
                "reencrypted": 1,
                "reencrypted_from": ("SSE-S3: 1",),
                "reencrypted_with": (KEY.arn,),
                "reencrypted_last": f"{NOW:%Y-%m-%d %H:%M} UTC",
            },
        ),
    ],
)
def test_evidence_contains_what_was_reencrypted(
    state: Reencrypted, said: dict[str, object]
) -> None:
    assert evidence(state) == said
