"""Amazon SNS: publishing alerts, and custom notifications for Amazon Q Developer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from emr_log_guard.adapters.errors import failure_of
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.decide import Alert, AlertKind
from emr_log_guard.domain.policy import PolicyChange, PolicyProblem
from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.domain.rescan_report import RescanReport
from emr_log_guard.errors import AlertNotAcceptedError
from emr_log_guard.rendering.alerts.alert_json import alert_attributes, alert_messages
from emr_log_guard.rendering.alerts.amazon_q import amazon_q_message
from emr_log_guard.rendering.alerts.policy import (
    change_messages,
    change_subject,
    policy_messages,
    policy_subject,
)
from emr_log_guard.rendering.alerts.rescan import (
    rescan_attributes,
    rescan_messages,
    rescan_subject,
)
from emr_log_guard.rendering.alerts.text import alert_subject

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import MessageAttributeValueTypeDef


class SnsAlerts:
    """The alerts topic."""

    def __init__(self, client: "Callable[[], SNSClient]", topic_arn: str, stack: str) -> None:
        """Publish for a stack; the client is made lazily."""
        self._client = client
        self._topic_arn = topic_arn
        self._stack = stack

    def publish(self, alert: Alert) -> None:
        """Notify every subscriber: text for e-mail, JSON for other protocols.

        Raises:
            AlertNotAcceptedError: SNS rejected it, or was not reached: it was not sent.
            BotoCoreError: SNS did not answer, and may have accepted it.

        """
        alert = replace(alert, stack=self._stack)
        try:
            self._client().publish(
                TopicArn=self._topic_arn,
                Subject=alert_subject(alert),
                MessageStructure="json",
                Message=alert_messages(alert),
                MessageAttributes=_strings(alert_attributes(alert)),
            )
        except (ClientError, EndpointConnectionError, ConnectTimeoutError) as error:
            message = failure_of("sns:Publish", self._topic_arn, error)
            raise AlertNotAcceptedError(message) from error

    def policy_invalid(self, problem: PolicyProblem) -> None:
        """Notify every subscriber that the policy is invalid. Errors propagate."""
        arn = Arn.parse(self._topic_arn)
        place = {"account": arn.account, "region": arn.region} if arn else {}
        self._client().publish(
            TopicArn=self._topic_arn,
            Subject=policy_subject(problem),
            MessageStructure="json",
            Message=policy_messages(problem, place),
            MessageAttributes=_strings({"kind": str(AlertKind.POLICY_INVALID), **place}),
        )


class SnsPolicyChangeAlerts:
    """The alerts topic, for changes of the policy."""

    def __init__(self, client: "SNSClient", topic_arn: str, stack: str) -> None:
        """Publish to this topic for a stack."""
        self._client = client
        self._topic_arn = topic_arn
        self._stack = stack

    def policy_changed(self, change: PolicyChange) -> None:
        """Notify every subscriber that the policy was changed. Errors propagate."""
        arn = Arn.of(self._topic_arn)
        place = {"account": arn.account, "region": arn.region}
        attributes = {"kind": str(AlertKind.POLICY_CHANGED), "id": change.id, **place}
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=change_subject(change),
            MessageStructure="json",
            Message=change_messages(change, self._stack, place),
            MessageAttributes=_strings(attributes),
        )


class SnsRescanAlerts:
    """The alerts topic, for re-scans."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        """Publish to this topic."""
        self._client = client
        self._topic_arn = topic_arn

    def rescan_done(self, report: RescanReport) -> None:
        """Notify every subscriber of the result of a re-scan. Errors propagate."""
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=rescan_subject(report),
            MessageStructure="json",
            Message=rescan_messages(report),
            MessageAttributes=_strings(rescan_attributes(report)),
        )


class SnsAmazonQ:
    """A topic of custom notifications."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        """Publish to this topic."""
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, published: PublishedAlert) -> None:
        """Publish an alert as a custom notification: one Publish. Errors propagate."""
        self._client.publish(TopicArn=self._topic_arn, Message=amazon_q_message(published))


def _strings(attributes: Mapping[str, str]) -> "dict[str, MessageAttributeValueTypeDef]":
    """Write message attributes, all of them strings."""
    return {
        name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
    }
