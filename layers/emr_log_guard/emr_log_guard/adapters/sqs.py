"""Amazon SQS: asking `enforce` to look at a cluster."""

from typing import TYPE_CHECKING

from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.events.enforcement import encode_enforcement_request

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class SqsEnforcementQueue:
    """The queue in front of `enforce`."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        """Send to this queue."""
        self._client = client
        self._queue_url = queue_url

    def send(self, request: RequestEnforcement) -> None:
        """Hand a request over. Errors fly."""
        self._client.send_message(
            QueueUrl=self._queue_url, MessageBody=encode_enforcement_request(request)
        )
