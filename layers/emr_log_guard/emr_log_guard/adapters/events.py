"""Amazon EventBridge: asking for clusters to be checked again, and emitting the guard's events."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import batched
from time import sleep
from typing import TYPE_CHECKING

from emr_log_guard.errors import PutEventsFailedError, RecheckNotRequestedError
from emr_log_guard.rendering.alerts.events import SOURCE, BusEvent

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_BATCH = 10
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""
_ATTEMPTS = 3
_SECONDS = 10
"""Between batches: EMR lets ten clusters be described at once, and then one a second."""


class EventBridgeRechecks:
    """The default bus, as one who asks for checks."""

    def __init__(
        self,
        client: "EventBridgeClient",
        stack: str,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        """Send through this client.

        Args:
            client: The account's EventBridge.
            stack: The stack whose rule matches the requests: the default bus is every stack's.
            wait: Sleeps for so many seconds.

        """
        self._client = client
        self._stack = stack
        self._wait = wait

    def request(self, cluster_ids: Iterable[str], since: datetime | None = None) -> None:
        """Ask for a check of each, as fast as EMR's quota lets them be made.

        Args:
            cluster_ids: The clusters.
            since: When it happened, UTC, what they are to be checked for; None is now.

        Raises:
            RecheckNotRequestedError: EventBridge did not take one of them.

        """
        for count, batch in enumerate(batched(cluster_ids, _BATCH)):
            if count:
                self._wait(_SECONDS)
            answer = self._client.put_events(
                Entries=[self._request(cluster_id, since) for cluster_id in batch]
            )
            refused = [record["ErrorCode"] for record in answer["Entries"] if "ErrorCode" in record]
            if refused:
                message = f"events:PutEvents refused {len(refused)} requests: {refused[0]}"
                raise RecheckNotRequestedError(message)

    def _request(self, cluster_id: str, since: datetime | None) -> "PutEventsRequestEntryTypeDef":
        record: PutEventsRequestEntryTypeDef = {
            "Source": SOURCE,
            "DetailType": "Recheck Requested",
            "Detail": json.dumps({"stack": self._stack, "cluster_id": cluster_id}),
        }
        if since is not None:
            record["Time"] = since
        return record


class EventBridgeBus:
    """A bus that the guard's own events are put on."""

    def __init__(
        self,
        client: "EventBridgeClient",
        bus_arn: str,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        """Put them on this bus, of whatever account."""
        self._client = client
        self._bus_arn = bus_arn
        self._wait = wait

    def put(self, events: Sequence[BusEvent]) -> None:
        """Put events on the bus; only those that it did not take are sent again.

        An alert is far below the 256 KB that a call may have, and so are its events together.

        Raises:
            PutEventsFailedError: It did not take one of them, three times.

        """
        for batch in batched(events, _BATCH):
            left: list[PutEventsRequestEntryTypeDef] = [
                {
                    "EventBusName": self._bus_arn,
                    "Source": SOURCE,
                    "DetailType": event.detail_type,
                    "Detail": json.dumps(event.detail, ensure_ascii=False),
                    "Resources": [event.cluster_arn],
                }
                for event in batch
            ]
            for attempt in range(_ATTEMPTS):
                if attempt:
                    self._wait(attempt)
                answers = self._client.put_events(Entries=left)["Entries"]
                pairs = zip(left, answers, strict=True)
                refused = [(record, answer) for record, answer in pairs if "ErrorCode" in answer]
                left = [record for record, _ in refused]
                if not left:
                    break
            if refused:
                message = (
                    f"events:PutEvents refused {len(refused)} events: {refused[0][1]['ErrorCode']}"
                )
                raise PutEventsFailedError(message)
