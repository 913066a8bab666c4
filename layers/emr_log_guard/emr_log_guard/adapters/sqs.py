"""Amazon SQS: sending to the guard's queues, and receiving dead letters.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING

from emr_log_guard.adapters.errors import handoff
from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.workflow_state import FindingKey
from emr_log_guard.errors import ReencryptionNotRequestedError
from emr_log_guard.events.enforcement import encode_enforcement_request
from emr_log_guard.events.import_findings import import_request
from emr_log_guard.events.log_objects import LogObjectCheckRequest, encode_recheck
from emr_log_guard.events.reencryption import encode_reencryption_request
from emr_log_guard.usecases.replay.dead_letters import DeadLetter

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

HOLD_SECONDS = 300
"""How long a message is hidden from others: long enough to be read, confirmed and replayed."""
_WAIT_SECONDS = 2
"""Long polling: it queries all SQS servers; short polling may miss messages."""
_BATCH = 10
"""The most messages of one call."""


class SqsRedelivery:
    """The queue in front of a function, which may say when a message comes back."""

    def __init__(self, client: "Callable[[], SQSClient]", queue_url: str) -> None:
        """Speak to this queue, through a client that is asked for when a message failed."""
        self._client = client
        self._queue_url = queue_url

    def postpone(self, seconds: Mapping[str, int]) -> None:
        """Hide messages for so many seconds from now: one ChangeMessageVisibility each.

        Errors propagate: the whole batch comes back after the queue's visibility timeout.

        Args:
            seconds: By receipt handle, at most 43,200.

        """
        for receipt, hidden in seconds.items():
            self._client().change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=hidden
            )


class SqsEnforcementQueue:
    """The queue in front of `enforce`."""

    def __init__(self, client: "Callable[[], SQSClient]", queue_url: str) -> None:
        """Send to this queue; the client is made lazily."""
        self._client = client
        self._queue_url = queue_url

    def send(self, request: RequestEnforcement, delay_seconds: int = 0) -> None:
        """Send a request, delivered after a delay of at most 900 s. Errors propagate."""
        self._client().send_message(
            QueueUrl=self._queue_url,
            MessageBody=encode_enforcement_request(request),
            DelaySeconds=delay_seconds,
        )


class SqsReencryptionQueue:
    """The queue in front of `reencrypt`."""

    def __init__(self, client: "Callable[[], SQSClient]", queue_url: str) -> None:
        """Send to this queue; the client is made lazily."""
        self._client = client
        self._queue_url = queue_url

    def send(self, versions: Iterable[ObjectVersion], delay_seconds: int = 0) -> None:
        """Send a request for each object: one SendMessageBatch per 10. Errors propagate.

        Raises:
            ReencryptionNotRequestedError: SQS did not accept some of them.

        """
        for batch in batched(versions, _BATCH):
            answer = self._client().send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {
                        "Id": str(place),
                        "MessageBody": encode_reencryption_request(version),
                        "DelaySeconds": delay_seconds,
                    }
                    for place, version in enumerate(batch)
                ],
            )
            if failed := answer.get("Failed"):
                message = f"sqs:SendMessage answered {failed[0]['Code']} for {len(failed)} objects"
                raise ReencryptionNotRequestedError(message)


class SqsLogObjectQueue:
    """The queue in front of `check_log_objects`."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        """Send to this queue."""
        self._client = client
        self._queue_url = queue_url

    def recheck(self, request: LogObjectCheckRequest) -> None:
        """Request a re-check of one of a cluster's bad objects. Errors propagate."""
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=encode_recheck(request))


class SqsUnimported:
    """The dead-letter queue, for findings that Security Hub refuses."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        """Send to this queue."""
        self._client = client
        self._queue_url = queue_url

    def keep(self, key: FindingKey, reason: str) -> None:
        """Keep a finding's key for a replay. Errors propagate."""
        self._client.send_message(
            QueueUrl=self._queue_url, MessageBody=json.dumps(import_request([key], reason))
        )


class SqsQueues:
    """The queues of this account and Region."""

    def __init__(self, client: "SQSClient") -> None:
        """Send through this client."""
        self._client = client

    def send(self, url: str, body: str) -> None:
        """Send a message, or raise HandoffFailedError."""
        with handoff("sqs:SendMessage", url):
            self._client.send_message(QueueUrl=url, MessageBody=body)


class SqsDeadLetters:
    """A dead-letter queue. Each method raises HandoffFailedError when SQS refuses."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        """Receive from this queue."""
        self._client = client
        self._url = url

    def take(self, maximum: int) -> Iterator[DeadLetter]:
        """Receive messages, each invisible to others for HOLD_SECONDS."""
        seen: set[str] = set()
        while len(seen) < maximum:
            with handoff("sqs:ReceiveMessage", self._url):
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=min(_BATCH, maximum - len(seen)),
                    VisibilityTimeout=HOLD_SECONDS,
                    WaitTimeSeconds=_WAIT_SECONDS,
                    MessageSystemAttributeNames=["SentTimestamp"],
                    MessageAttributeNames=["All"],
                )
            new = [each for each in answer.get("Messages", []) if each["MessageId"] not in seen]
            if not new:
                return
            for message in new:
                seen.add(message["MessageId"])
                yield _letter(message)

    def hold(self, letter: DeadLetter) -> None:
        """Extend the visibility timeout by HOLD_SECONDS; fails when the receipt has expired."""
        self._hide(letter, HOLD_SECONDS)

    def release(self, letter: DeadLetter) -> None:
        """Make a message visible again at once."""
        self._hide(letter, 0)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message."""
        with handoff("sqs:DeleteMessage", self._url):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)

    def _hide(self, letter: DeadLetter, seconds: int) -> None:
        with handoff("sqs:ChangeMessageVisibility", self._url):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=letter.receipt, VisibilityTimeout=seconds
            )


def _letter(message: "MessageTypeDef") -> DeadLetter:
    milliseconds = int(message["Attributes"]["SentTimestamp"])
    return DeadLetter(
        id=message["MessageId"],
        body=message["Body"],
        attributes={
            name: attribute["StringValue"]
            for name, attribute in message.get("MessageAttributes", {}).items()
            if "StringValue" in attribute
        },
        sent=datetime.fromtimestamp(milliseconds / 1000, UTC),
        receipt=message["ReceiptHandle"],
    )
