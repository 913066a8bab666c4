"""Amazon EventBridge: asking for clusters to be checked again."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import batched
from time import sleep
from typing import TYPE_CHECKING

from emr_log_guard.errors import RecheckNotRequestedError

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_BATCH = 10
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""
_SECONDS = 10
"""Between batches: EMR lets ten clusters be described at once, and then one a second."""


class EventBridgeRechecks:
    """The default bus, as one who asks for checks."""

    def __init__(self, client: "EventBridgeClient", wait: Callable[[float], None] = sleep) -> None:
        """Send through this client."""
        self._client = client
        self._wait = wait

    def request(self, cluster_ids: Iterable[str], since: datetime | None = None) -> None:
        """Ask for a check of each, as fast as EMR's quota lets them be made.

        Args:
            cluster_ids: The clusters.
            since: When it happened, UTC, what they are to be checked for; None is now.

        Raises:
            RecheckNotRequestedError: EventBridge did not take one of them.

        """
        for count, batch in enumerate(batched(cluster_ids, _BATCH, strict=False)):
            if count:
                self._wait(_SECONDS)
            answer = self._client.put_events(
                Entries=[_request(cluster_id, since) for cluster_id in batch]
            )
            refused = [entry["ErrorCode"] for entry in answer["Entries"] if "ErrorCode" in entry]
            if refused:
                message = f"events:PutEvents refused {len(refused)} requests: {refused[0]}"
                raise RecheckNotRequestedError(message)


def _request(cluster_id: str, since: datetime | None) -> "PutEventsRequestEntryTypeDef":
    entry: PutEventsRequestEntryTypeDef = {
        "Source": "emr-log-guard",
        "DetailType": "Recheck Requested",
        "Detail": json.dumps({"cluster_id": cluster_id}),
    }
    if since is not None:
        entry["Time"] = since
    return entry
