"""The clock that the functions go by."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Say what time it is."""
    return datetime.now(UTC)
