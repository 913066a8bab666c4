import pytest

from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.usecases.act import Act
from tests.unit.builders import a_cluster
from tests.unit.fakes import FakeAlerts


def test_nothing_to_do_does_nothing() -> None:
    alerts = FakeAlerts()

    Act(alerts)(())

    assert alerts.journal == []


def test_a_request_in_a_stack_that_may_not_terminate_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="does not allow it"):
        Act(FakeAlerts())([RequestEnforcement(a_cluster().arn)])
