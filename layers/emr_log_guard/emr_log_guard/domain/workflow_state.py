"""Security Hub's workflow status: what the guard sets, and what people set, kept apart.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Workflow.html
"""

from dataclasses import dataclass
from enum import StrEnum

from emr_log_guard.domain.findings import Status


class Workflow(StrEnum):
    """How far the investigation of a finding is."""

    NEW = "NEW"
    NOTIFIED = "NOTIFIED"
    RESOLVED = "RESOLVED"
    SUPPRESSED = "SUPPRESSED"


WANTED = {
    Status.OPEN: Workflow.NEW,
    Status.RESOLVED: Workflow.RESOLVED,
    Status.EXEMPT: Workflow.SUPPRESSED,
}
"""What a finding of the ledger is to be in Security Hub."""


@dataclass(frozen=True, slots=True)
class FindingKey:
    """Which finding of this account and Region is meant."""

    cluster_id: str
    rule_id: str


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """What the guard last said of a finding's workflow. Whatever else stands there, people said."""

    status: Workflow = Workflow.NEW
    sent: bool = True
    """Whether Security Hub took it. Written down before, lest it be taken for people's."""


def outstanding(word: WorkflowState, wanted: Workflow) -> bool:
    """Say whether Security Hub has to be told something else than it was."""
    return word.status is not wanted or not word.sent


def next_word(
    word: WorkflowState, wanted: Workflow, there: Workflow | None
) -> WorkflowState | None:
    """Say what to tell Security Hub.

    Args:
        word: What the guard last said.
        wanted: What it is to say.
        there: What stands there now; None when the finding is not there yet.

    Returns:
        The word, already sent where a new finding begins with it; None when people suppressed the
        finding, for that stands until they lift it.

    """
    if there is Workflow.SUPPRESSED and word.status is not Workflow.SUPPRESSED:
        return None
    return WorkflowState(wanted, sent=there is None)
