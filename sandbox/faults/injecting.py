"""Client that injects faults into a running account."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.faults.fault import Fault


class Faults:
    """The faults of an account that was started with `faults=True`."""

    def __init__(self, endpoint: str) -> None:
        """Inject into the account at this URL."""
        self._endpoint = endpoint

    @contextmanager
    def injected(self, *faults: Fault) -> Iterator[None]:
        """Activate exactly these faults for the duration of the context."""
        self.inject(*faults)
        try:
            yield
        finally:
            self.inject()

    def inject(self, *faults: Fault) -> None:
        """Activate exactly these faults from now on."""
        self._ask("PUT", "faults", [fault.as_json() for fault in faults])

    def calls(self) -> int:
        """Count the calls that functions have made."""
        answer: dict[str, int] = self._ask("GET", "calls")
        return answer["calls"]

    def met(self) -> int:
        """Count the calls that a fault has affected."""
        answer: dict[str, int] = self._ask("GET", "calls")
        return answer["met"]

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self._endpoint}/_sandbox/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return json.load(response)
