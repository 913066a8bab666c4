"""Security Hub's workflow status: what the guard set, and what users set.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Workflow.html
"""

from dataclasses import dataclass
from enum import StrEnum

from emr_log_guard.domain.findings import Status


class Workflow(StrEnum):
    """The workflow status of a finding."""

    NEW = "NEW"
    NOTIFIED = "NOTIFIED"
    RESOLVED = "RESOLVED"
    SUPPRESSED = "SUPPRESSED"


WANTED = {
    Status.OPEN: Workflow.NEW,
    Status.RESOLVED: Workflow.RESOLVED,
    Status.EXEMPT: Workflow.SUPPRESSED,
}
"""The workflow status that a recorded finding has in Security Hub."""


@dataclass(frozen=True, slots=True)
class FindingKey:
    """Identifies a finding of this account and Region."""

    cluster_id: str
    rule_id: str


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """The workflow status that the guard last set. Any other value was set by a user."""

    status: Workflow = Workflow.NEW
    sent: bool = True
    """Whether Security Hub accepted it. Recorded before it is sent, so that it is not mistaken for
    a user's."""


def needs_update(state: WorkflowState, wanted: Workflow) -> bool:
    """Whether the workflow status in Security Hub has to be updated."""
    return state.status is not wanted or not state.sent


def next_state(
    state: WorkflowState, wanted: Workflow, current: Workflow | None
) -> WorkflowState | None:
    """Return the workflow status to set in Security Hub.

    Args:
        state: What the guard last set.
        wanted: What it is to set.
        current: The status in Security Hub; None when the finding is not there yet.

    Returns:
        The state, already sent if a new finding starts with it; None when a user suppressed the
        finding: that is kept until they lift it.

    """
    if current is Workflow.SUPPRESSED and state.status is not Workflow.SUPPRESSED:
        return None
    return WorkflowState(wanted, sent=current is None)
