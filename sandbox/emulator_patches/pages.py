"""EMR paginates: 50 items by default, and a marker for the next page. Upstream: yes.

https://docs.aws.amazon.com/emr/latest/APIReference/API_ListClusters.html
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

PAGE_SIZE = 50


class InvalidMarkerError(ValueError):
    """A marker that no page returned."""


def page(
    items: Sequence[Any],
    name: str,
    marker: str | None,
    *,
    next_page: str = "Marker",
    size: int = PAGE_SIZE,
) -> dict[str, Any]:
    """Return the page of `items` at `marker`, with the next page's marker as `next_page` if any.

    Raises:
        InvalidMarkerError: `marker` was never returned.
    """
    try:
        start = int(base64.b64decode(marker, validate=True)) if marker else 0
    except (binascii.Error, ValueError) as error:
        message = f"Marker '{marker}' is not valid."
        raise InvalidMarkerError(message) from error
    end = start + size
    found: dict[str, Any] = {name: list(items[start:end])}
    if end < len(items):
        found[next_page] = base64.b64encode(str(end).encode()).decode()
    return found
