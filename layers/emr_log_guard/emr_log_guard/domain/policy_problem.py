"""A stored policy that cannot be gone by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """Why the stored policy does not hold: the last valid one does, else the strict defaults."""

    parameter: str
    version: int | None
    """The parameter's version; None when it could not be read."""
    problems: tuple[str, ...]
    """What is wrong and how to fix it, one thing each, at least one."""
