"""Amazon SNS: the topic that Amazon Q Developer in chat applications is subscribed to."""

from typing import TYPE_CHECKING

from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.rendering.alerts.amazon_q import amazon_q_message

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient


class SnsAmazonQ:
    """A topic of custom notifications."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        """Publish to this topic."""
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, notice: PublishedAlert) -> None:
        """Publish an alert as Amazon Q shows it: one Publish. Errors fly."""
        self._client.publish(TopicArn=self._topic_arn, Message=amazon_q_message(notice))
