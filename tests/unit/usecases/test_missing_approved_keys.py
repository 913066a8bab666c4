from dataclasses import replace

import pytest

from emr_log_guard.adapters.dynamodb import DynamoPolicyHistory
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.policy import PolicyProblem
from emr_log_guard.errors import AlertNotAcceptedError
from emr_log_guard.events.emr import ClusterCheckRequest
from tests.unit.builders import CLUSTER_ID, a_policy
from tests.unit.usecases.world import World

UNKNOWN = "does not exist (kms:DescribeKey answered NotFoundException)"
PARAMETER = "/emr-log-guard/test/policy"


@pytest.fixture
def listed(world: World) -> World:
    """A policy in force that approves two aliases that KMS does not know."""
    world.policy = replace(
        a_policy(Mode.ALERT), approved_keys=("alias/gone", "alias/never"), version=7
    )
    return world


def test_each_missing_approved_key_is_alerted_once(
    listed: World,
) -> None:
    for _ in range(3):
        listed.check()

    assert listed.alerts.policy_problems == [
        PolicyProblem(
            PARAMETER,
            7,
            (f"approved_keys[{place}]: {name} {UNKNOWN}; correct it, or remove it",),
            in_force=True,
        )
        for place, name in enumerate(("alias/gone", "alias/never"))
    ]


def test_missing_approved_key_is_alerted_again_after_a_day(
    listed: World,
) -> None:
    check = listed.check_cluster
    for hours in (0, 23, 1):
        listed.passes(hours=hours)
        check(ClusterCheckRequest(CLUSTER_ID))

    assert len(listed.alerts.policy_problems) == 4


def test_environment_checks_once_an_hour_whether_a_missing_key_was_alerted(listed: World) -> None:
    notify = listed.notify_unusable_keys
    for minutes in (0, 59, 1):
        listed.passes(minutes=minutes)
        notify(listed.policy, {"alias/gone": "it does not exist"})

    assert listed.table.counts == {"PutItem": 3}  # one to begin, one to end, one an hour later
    assert len(listed.alerts.policy_problems) == 1


def test_missing_key_and_invalid_policy_are_stored_as_separate_problems(
    listed: World,
) -> None:
    listed.check()
    history = DynamoPolicyHistory(listed.table, "findings", listed.clock)
    with history.once("version 8 is invalid") as first:
        assert first
    listed.check()

    assert len(listed.alerts.policy_problems) == 2
    problems = {key for key in listed.table.items if key[0] == "policy"}
    assert problems == {
        ("policy", "problem#policy"),
        ("policy", "problem#key#alias/gone"),
        ("policy", "problem#key#alias/never"),
    }
    assert all("expires" in listed.table.items[key] for key in problems)


def test_missing_key_is_not_alerted_while_the_policy_is_suspended(listed: World) -> None:
    listed.policy = replace(listed.policy, suspended=True)

    listed.check()

    assert listed.alerts.policy_problems == []


def test_missing_key_whose_alert_failed_is_alerted_after_a_minute(listed: World) -> None:
    notify = listed.notify_unusable_keys
    listed.alerts.failure = AlertNotAcceptedError("SNS is away")
    missing = {"alias/gone": "it does not exist"}
    with pytest.raises(AlertNotAcceptedError):
        notify(listed.policy, missing)
    listed.alerts.failure = None

    listed.passes(minutes=1)
    notify(listed.policy, missing)

    assert len(listed.alerts.policy_problems) == 1


def test_existing_approved_keys_cause_no_alert(world: World) -> None:
    world.policy = replace(a_policy(Mode.ALERT), approved_keys=tuple(world.keys.facts))

    world.check()

    assert world.alerts.policy_problems == []
