"""A stored policy that cannot be gone by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """What is wrong with the stored policy.

    Unless it is in force nonetheless the last valid one is, else the strict defaults.
    """

    parameter: str
    version: int | None
    """The parameter's version; None when it could not be read."""
    problems: tuple[str, ...]
    """What is wrong and how to fix it, one thing each, at least one."""
    in_force: bool = False
    """Whether the stored policy holds nonetheless: an approved key that it lists does not exist."""
