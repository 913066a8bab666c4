import pytest

from emr_log_guard.domain.decide import CallOffEnforcement, RequestEnforcement
from emr_log_guard.usecases.act import Act
from tests.unit.builders import a_cluster
from tests.unit.fakes import FakeAlerts


def test_a_request_in_a_stack_that_may_not_terminate_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="does not allow it"):
        Act(FakeAlerts()).hand_on(RequestEnforcement(a_cluster().arn))


def test_a_stack_that_may_not_terminate_has_no_schedule_to_cancel() -> None:
    alerts = FakeAlerts()

    Act(alerts).hand_on(CallOffEnforcement(a_cluster().arn))

    assert alerts.journal == []
