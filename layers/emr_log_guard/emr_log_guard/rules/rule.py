"""A rule: a pure check, and its metadata."""

from collections.abc import Callable
from dataclasses import dataclass

from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome


@dataclass(frozen=True, slots=True)
class Rule[Facts]:
    """A claim about the facts, and what to report when it is false."""

    id: str
    name: str
    """A claim, such as `log-key-configured`."""
    severity: Severity
    violation: str
    """When it is violated: the end of a sentence that begins "non-compliant when"."""
    why: str
    """Why it matters, in one sentence."""
    check: Callable[[Facts], Outcome]
    remediation: Callable[[Facts], str]
    """What to run, a command a line."""
    precondition: str = ""
    """When it applies; empty when always."""
    enabled: bool = True
    """Whether it is evaluated unless the policy says otherwise."""
    deployed_only: bool = False
    """Whether it needs the deployed stack: not evaluated without one."""
