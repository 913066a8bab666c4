"""Amazon EventBridge Scheduler: one-time schedules, one per cluster, for its grace period.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from emr_log_guard.config import EnforcementSettings
from emr_log_guard.domain.decide import ScheduleEnforcement
from emr_log_guard.events.enforcement import encode_enforcement_request

if TYPE_CHECKING:
    from types_boto3_scheduler import EventBridgeSchedulerClient
    from types_boto3_scheduler.type_defs import UpdateScheduleInputTypeDef

_AHEAD = timedelta(seconds=10)
"""The minimum lead time of a schedule: one in the past never fires."""


class EventBridgeSchedules:
    """The schedules of a group. Each is deleted after it fired."""

    def __init__(
        self,
        client: "Callable[[], EventBridgeSchedulerClient]",
        settings: EnforcementSettings,
        clock: Callable[[], datetime],
    ) -> None:
        """Create schedules that send to a queue through a role; the client is made lazily."""
        self._client = client
        self._settings = settings
        self._clock = clock

    def put(self, schedule: ScheduleEnforcement) -> None:
        """Schedule a request; it replaces an earlier schedule of the cluster."""
        at = max(schedule.at, self._clock() + _AHEAD).astimezone(UTC)
        wanted: UpdateScheduleInputTypeDef = {
            "Name": _name(schedule.request.cluster_arn),
            "GroupName": self._settings.schedule_group,
            "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": self._settings.queue_arn,
                "RoleArn": self._settings.schedule_role_arn,
                "Input": encode_enforcement_request(schedule.request),
                "DeadLetterConfig": {"Arn": self._settings.dead_letters_arn},
            },
        }
        client = self._client()
        try:
            client.create_schedule(**wanted)
        except client.exceptions.ConflictException:
            client.update_schedule(**wanted)

    def delete(self, cluster_arn: str) -> None:
        """Delete a cluster's schedule, if there is one."""
        client = self._client()
        try:
            client.delete_schedule(Name=_name(cluster_arn), GroupName=self._settings.schedule_group)
        except client.exceptions.ResourceNotFoundException:
            return


def _name(cluster_arn: str) -> str:
    return cluster_arn.rpartition("/")[2]
