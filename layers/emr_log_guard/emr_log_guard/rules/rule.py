"""What a rule is: a pure check, and the card that says what it is about."""

from collections.abc import Callable
from dataclasses import dataclass

from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome


@dataclass(frozen=True, slots=True)
class Rule[Facts]:
    """A claim about the facts, and what to say when it does not hold."""

    id: str
    name: str
    """A claim, such as `log-key-configured`."""
    severity: Severity
    violation: str
    """When it is broken: the end of a sentence that begins "non-compliant when"."""
    why: str
    """Why it matters, in one sentence."""
    check: Callable[[Facts], Outcome]
    remediation: Callable[[Facts], str]
    """What to run, a command a line."""
    precondition: str = ""
    """What has to be so for it to apply; empty when it always does."""
    enabled: bool = True
    """Whether it is evaluated unless the policy says otherwise."""
    deployed_only: bool = False
    """Whether it is about what the deployed stack sees: not evaluated where nothing is deployed."""
