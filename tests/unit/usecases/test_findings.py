from dataclasses import replace

import pytest

from emr_log_guard.domain.decide import Action, CancelEnforcement, RequestEnforcement
from emr_log_guard.domain.notification_plan import NotificationPlan
from emr_log_guard.domain.termination import Stage
from emr_log_guard.usecases.findings import CheckResult, Recorded
from tests.unit.builders import CLUSTER_ID, a_cluster, a_policy
from tests.unit.usecases.world import World

CLUSTER = a_cluster()


def decided(action: Action) -> Recorded:
    plan = NotificationPlan({}, (action,), frozenset())
    return Recorded(CheckResult(CLUSTER_ID, CLUSTER), a_policy(), "an invocation", plan)


def test_enforcement_request_in_a_stack_without_enforcement_raises_assertion_error(
    world: World,
) -> None:
    dispatcher = replace(world.dispatcher, enforcers=None)

    with pytest.raises(AssertionError, match="does not allow it"):
        dispatcher.dispatch(decided(RequestEnforcement(CLUSTER.arn)))

    assert world.termination is not None
    assert world.termination.stage is Stage.SKIPPED


def test_cancellation_in_a_stack_without_enforcement_does_nothing(world: World) -> None:
    dispatcher = replace(world.dispatcher, enforcers=None)

    dispatcher.dispatch(decided(CancelEnforcement(CLUSTER.arn)))

    assert world.journal == []
