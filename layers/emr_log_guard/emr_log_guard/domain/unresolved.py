"""A fact that could not be read, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A fact that we tried to read and could not. Never treat it as compliant."""

    reason: str
    """The call and its error, as in `kms:DescribeKey on alias/x answered AccessDeniedException`."""
    transient: bool = False
    """Whether AWS documents the failure as temporary: throttling, a 5xx, a time-out."""
    rate_limited: bool = False
    """Whether the guard's own limit kept the call from being sent: it is made later, so this is no
    result yet."""
