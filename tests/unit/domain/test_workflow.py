from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.workflow_state import (
    WANTED,
    Workflow,
    WorkflowState,
    needs_update,
    next_state,
)

NEW, NOTIFIED, RESOLVED, SUPPRESSED = Workflow


def test_every_finding_status_has_a_workflow_status() -> None:
    assert {Status.OPEN: NEW, Status.RESOLVED: RESOLVED, Status.EXEMPT: SUPPRESSED} == WANTED


@pytest.mark.parametrize(
    ("word", "wanted", "expected"),
    [
        (WorkflowState(), NEW, False),
        (WorkflowState(), RESOLVED, True),
        (WorkflowState(RESOLVED), RESOLVED, False),
        (WorkflowState(RESOLVED, sent=False), RESOLVED, True),
        (WorkflowState(SUPPRESSED), NEW, True),
    ],
)
def test_only_a_changed_workflow_state_needs_an_update(
    word: WorkflowState, wanted: Workflow, *, expected: bool
) -> None:
    assert needs_update(word, wanted) is expected


@pytest.mark.parametrize("wanted", [NEW, RESOLVED, SUPPRESSED])
def test_workflow_status_suppressed_in_security_hub_is_kept(wanted: Workflow) -> None:
    assert next_state(WorkflowState(), wanted, SUPPRESSED) is None
    assert next_state(WorkflowState(RESOLVED), wanted, SUPPRESSED) is None


def test_workflow_status_suppressed_by_an_exemption_is_taken_back() -> None:
    assert next_state(WorkflowState(SUPPRESSED), NEW, SUPPRESSED) == WorkflowState(NEW, sent=False)
    assert next_state(WorkflowState(SUPPRESSED, sent=False), NEW, SUPPRESSED) == WorkflowState(
        NEW, sent=False
    )


def test_finding_unknown_to_security_hub_starts_with_its_own_status() -> None:
    assert next_state(WorkflowState(), SUPPRESSED, None) == WorkflowState(SUPPRESSED, sent=True)


@given(st.lists(st.sampled_from([*Status, *(f"user:{w}" for w in Workflow), "crash"])))
def test_suppression_made_in_security_hub_is_never_lifted_by_any_sequence(steps: list[str]) -> None:
    there, word, by_user = NEW, WorkflowState(), False
    for step in steps:
        if step.startswith("user:"):
            there = Workflow(step.removeprefix("user:"))
            by_user = there is SUPPRESSED and word.status is not SUPPRESSED
            continue
        if step == "crash":  # it died between notifying and recording that
            word = WorkflowState(word.status, sent=False)
            continue
        wanted = WANTED[Status(step)]
        if needs_update(word, wanted) and (said := next_state(word, wanted, there)):
            there, word = wanted, WorkflowState(said.status)
        assert not by_user or there is SUPPRESSED


def test_next_state_is_the_wanted_status_or_none() -> None:
    for status, sent, wanted, there in product(Workflow, (True, False), Workflow, Workflow):
        said = next_state(WorkflowState(status, sent=sent), wanted, there)
        assert said is None or said == WorkflowState(wanted, sent=False)
