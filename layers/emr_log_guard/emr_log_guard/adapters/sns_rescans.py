"""Amazon SNS: telling of re-scans."""

from typing import TYPE_CHECKING

from emr_log_guard.domain.rescan_report import RescanReport
from emr_log_guard.rendering.alerts.rescan import (
    rescan_attributes,
    rescan_messages,
    rescan_subject,
)

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient


class SnsRescanAlerts:
    """The alerts topic, as re-scans use it."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        """Publish to this topic."""
        self._client = client
        self._topic_arn = topic_arn

    def rescan_done(self, report: RescanReport) -> None:
        """Tell every subscriber what a re-scan found. Errors fly."""
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=rescan_subject(report),
            MessageStructure="json",
            Message=rescan_messages(report),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in rescan_attributes(report).items()
            },
        )
