"""Amazon EventBridge: requesting checks of clusters, and emitting the guard's events."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import batched
from time import sleep
from typing import TYPE_CHECKING

from emr_log_guard.domain.arn import bucket_named
from emr_log_guard.errors import PutEventsFailedError, RecheckNotRequestedError
from emr_log_guard.rendering.alerts.events import SOURCE, BusEvent

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_BATCH = 10
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""
_ATTEMPTS = 3


class EventBridgeRechecks:
    """The default bus, for requesting checks."""

    def __init__(
        self,
        client: "EventBridgeClient",
        stack: str,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        """Send through this client.

        Args:
            client: The account's EventBridge.
            stack: The stack whose rule matches the requests: all stacks share the default bus.
            wait: Sleeps for the given seconds.

        """
        self._client = client
        self._stack = stack
        self._wait = wait

    def request(self, cluster_ids: Iterable[str], since: datetime | None = None) -> None:
        """Request a check of each. They wait in check_cluster's queue for EMR's quota.

        Args:
            cluster_ids: The clusters, or the ARNs of log buckets.
            since: When the cause happened, UTC; None: now.

        Raises:
            RecheckNotRequestedError: EventBridge did not accept one of them, three times.

        """
        for batch in batched(cluster_ids, _BATCH):
            entries = [self._request(cluster_id, since) for cluster_id in batch]
            if refused := _put(self._client, entries, self._wait):
                message = f"events:PutEvents refused {len(refused)} requests: {refused[0]}"
                raise RecheckNotRequestedError(message)

    def _request(self, cluster_id: str, since: datetime | None) -> "PutEventsRequestEntryTypeDef":
        named = "bucket_arn" if bucket_named(cluster_id) else "cluster_id"
        record: PutEventsRequestEntryTypeDef = {
            "Source": SOURCE,
            "DetailType": "Recheck Requested",
            "Detail": json.dumps({"stack": self._stack, named: cluster_id}),
        }
        if since is not None:
            record["Time"] = since
        return record


class EventBridgeBus:
    """The bus for the guard's own events."""

    def __init__(
        self,
        client: "EventBridgeClient",
        bus_arn: str,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        """Use this bus, of any account."""
        self._client = client
        self._bus_arn = bus_arn
        self._wait = wait

    def put(self, events: Sequence[BusEvent]) -> None:
        """Put events on the bus; only those that it did not accept are retried.

        An alert and its events are far below the limit of 256 KB per call.

        Raises:
            PutEventsFailedError: It did not accept one of them, three times.

        """
        for batch in batched(events, _BATCH):
            entries: list[PutEventsRequestEntryTypeDef] = [
                {
                    "EventBusName": self._bus_arn,
                    "Source": SOURCE,
                    "DetailType": event.detail_type,
                    "Detail": json.dumps(event.detail, ensure_ascii=False),
                    "Resources": [event.cluster_arn],
                }
                for event in batch
            ]
            if refused := _put(self._client, entries, self._wait):
                message = f"events:PutEvents refused {len(refused)} events: {refused[0]}"
                raise PutEventsFailedError(message)


def _put(
    client: "EventBridgeClient",
    entries: "list[PutEventsRequestEntryTypeDef]",
    wait: Callable[[float], None],
) -> list[str]:
    """Put up to ten events, each at most three times: the error codes of those still refused."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            wait(attempt)
        answers = client.put_events(Entries=entries)["Entries"]
        codes = [answer.get("ErrorCode") for answer in answers]
        entries = [entry for entry, code in zip(entries, codes, strict=True) if code]
        if not entries:
            break
    return [code for code in codes if code]
