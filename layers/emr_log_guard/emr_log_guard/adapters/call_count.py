"""Counting AWS calls by IAM's names."""

from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.client import BaseClient


class CallCount:
    """Counts every request, retries included."""

    def __init__(self, log: Callable[[str], None] | None = None) -> None:
        """Count, and log each request as one line."""
        self._log = log
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def attach(self, client: "BaseClient") -> None:
        """Count a client's requests."""
        service = client.meta.service_model.signing_name
        region = client.meta.region_name

        def count(
            response: tuple[Any, Mapping[str, Any]] | None,
            operation: Any,  # noqa: ANN401 - botocore's
            caught_exception: Exception | None,
            **_: object,
        ) -> None:
            error = response[1].get("Error", {}).get("Code") if response else caught_exception
            self.note(f"{service}:{operation.name}", region, error or "OK")

        client.meta.events.register_first("needs-retry.*.*", count)

    def note(self, call: str, region: str, outcome: object) -> None:
        """Count a request that was sent, by IAM's name of it."""
        with self._lock:
            self._counts[call] += 1
        if self._log:
            self._log(f"{call} in {region}: {outcome}")

    @property
    def counts(self) -> Mapping[str, int]:
        """Count by service and operation, such as `elasticmapreduce:DescribeCluster`."""
        with self._lock:
            return dict(sorted(self._counts.items()))
