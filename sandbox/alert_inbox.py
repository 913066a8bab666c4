"""A subscriber of the alerts topic, as another tool would be."""

import json
from typing import Any

from sandbox.running import Sandbox

type AlertMessage = dict[str, Any]
"""The JSON schema `emr-log-guard/alert/1`."""


class AlertInbox:
    """A queue that receives every alert; received alerts are kept in the order of their arrival."""

    def __init__(self, account: Sandbox, topic_arn: str, name: str = "security-inbox") -> None:
        """Subscribe a new queue to the topic."""
        self._sqs = account.client("sqs")
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        from_topic = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [from_topic]})
        self._sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": policy})
        account.client("sns").subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
        )
        self.alerts: list[AlertMessage] = []

    def receive(self) -> list[AlertMessage]:
        """Receive the alerts that arrived since the last call."""
        arrived: list[AlertMessage] = []
        while messages := self._sqs.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                self._sqs.delete_message(
                    QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"]
                )
                arrived.append(json.loads(message["Body"]))
        self.alerts += arrived
        return arrived

    def about(self, cluster_id: str, kind: str | None = None) -> list[AlertMessage]:
        """Receive new alerts, and return all alerts about a cluster, optionally of one kind."""
        self.receive()
        return [
            alert
            for alert in self.alerts
            if alert["cluster_id"] == cluster_id and kind in (None, alert["kind"])
        ]
