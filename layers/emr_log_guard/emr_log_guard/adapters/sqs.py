"""Amazon SQS: what is asked of `enforce` and `check_log_objects`, and what could not be done."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.domain.workflow_state import FindingKey
from emr_log_guard.events.enforcement import encode_enforcement_request
from emr_log_guard.events.import_findings import import_request
from emr_log_guard.events.log_objects import LogObjectCheckRequest, encode_recheck

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class SqsEnforcementQueue:
    """The queue in front of `enforce`."""

    def __init__(self, client: "Callable[[], SQSClient]", queue_url: str) -> None:
        """Send to this queue, through a client that is asked for when there is something."""
        self._client = client
        self._queue_url = queue_url

    def send(self, request: RequestEnforcement, delay_seconds: int = 0) -> None:
        """Hand a request over, to be delivered after a delay of at most 900 s. Errors fly."""
        self._client().send_message(
            QueueUrl=self._queue_url,
            MessageBody=encode_enforcement_request(request),
            DelaySeconds=delay_seconds,
        )


class SqsLogObjectQueue:
    """The queue in front of `check_log_objects`."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        """Send to this queue."""
        self._client = client
        self._queue_url = queue_url

    def recheck(self, hint: LogObjectCheckRequest) -> None:
        """Ask for a look at one of a cluster's known bad objects. Errors fly."""
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=encode_recheck(hint))


class SqsUnimported:
    """The dead-letter queue, for findings that Security Hub does not take."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        """Send to this queue."""
        self._client = client
        self._queue_url = queue_url

    def keep(self, key: FindingKey, reason: str) -> None:
        """Keep a finding's key for a replay. Errors fly."""
        self._client.send_message(
            QueueUrl=self._queue_url, MessageBody=json.dumps(import_request([key], reason))
        )
