from datetime import timedelta

import pytest

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.scheduler import EventBridgeSchedules
from emr_log_guard.config import EnforcementSettings
from emr_log_guard.domain.decide import RequestEnforcement, ScheduleEnforcement
from emr_log_guard.events.enforcement import parse_enforcement_request
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster
from tests.unit.stubbed_aws import AwsError, StubbedAws

REQUEST = RequestEnforcement(a_cluster().arn)
SETTINGS = EnforcementSettings("https://queue", "arn:queue", "group", "arn:role", "arn:dead")


@pytest.fixture
def aws() -> StubbedAws:
    return StubbedAws()


@pytest.fixture
def schedules(aws: StubbedAws) -> EventBridgeSchedules:
    clients.scheduler.cache_clear()
    client = aws.attach(clients.scheduler())
    return EventBridgeSchedules(lambda: client, SETTINGS, lambda: NOW)


def test_schedule_sends_the_request_once_with_its_role(
    aws: StubbedAws, schedules: EventBridgeSchedules
) -> None:
    aws.answer("CreateSchedule", {"ScheduleArn": "arn"})

    schedules.put(ScheduleEnforcement(REQUEST, NOW + timedelta(hours=4)))

    ((_, made),) = aws.calls
    assert (made["GroupName"], made["Name"]) == ("group", CLUSTER_ID)
    assert made["ScheduleExpression"] == "at(2026-03-14T19:09:26)"
    assert (made["ScheduleExpressionTimezone"], made["ActionAfterCompletion"]) == ("UTC", "DELETE")
    target = made["Target"]
    assert (target["Arn"], target["RoleArn"]) == ("arn:queue", "arn:role")
    assert target["DeadLetterConfig"] == {"Arn": "arn:dead"}
    assert parse_enforcement_request(target["Input"]) == REQUEST


def test_existing_schedule_is_updated(aws: StubbedAws, schedules: EventBridgeSchedules) -> None:
    aws.answer("CreateSchedule", AwsError("ConflictException", status=409))
    aws.answer("UpdateSchedule", {"ScheduleArn": "arn"})

    schedules.put(ScheduleEnforcement(REQUEST, NOW + timedelta(hours=4)))

    (_, created), (_, updated) = aws.calls
    assert created == updated


def test_schedule_in_the_past_is_set_to_the_near_future(
    aws: StubbedAws, schedules: EventBridgeSchedules
) -> None:
    aws.answer("CreateSchedule", {"ScheduleArn": "arn"})

    schedules.put(ScheduleEnforcement(REQUEST, NOW - timedelta(hours=1)))

    assert aws.calls[0][1]["ScheduleExpression"] == "at(2026-03-14T15:09:36)"


@pytest.mark.parametrize("answer", [{}, AwsError("ResourceNotFoundException", status=404)])
def test_deleting_an_existing_or_missing_schedule_succeeds(
    aws: StubbedAws, schedules: EventBridgeSchedules, answer: dict[str, object] | AwsError
) -> None:
    aws.answer("DeleteSchedule", answer)

    schedules.delete(a_cluster().arn)

    assert aws.calls == [("DeleteSchedule", {"Name": CLUSTER_ID, "GroupName": "group"})]
