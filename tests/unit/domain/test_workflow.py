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


def test_every_status_of_the_table_has_one_there() -> None:
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
def test_only_what_is_new_has_to_be_said(
    word: WorkflowState, wanted: Workflow, *, expected: bool
) -> None:
    assert needs_update(word, wanted) is expected


@pytest.mark.parametrize("wanted", [NEW, RESOLVED, SUPPRESSED])
def test_what_people_suppressed_stays_so(wanted: Workflow) -> None:
    assert next_state(WorkflowState(), wanted, SUPPRESSED) is None
    assert next_state(WorkflowState(RESOLVED), wanted, SUPPRESSED) is None


def test_what_the_guard_suppressed_it_takes_back() -> None:
    assert next_state(WorkflowState(SUPPRESSED), NEW, SUPPRESSED) == WorkflowState(NEW, sent=False)
    assert next_state(WorkflowState(SUPPRESSED, sent=False), NEW, SUPPRESSED) == WorkflowState(
        NEW, sent=False
    )


def test_a_new_finding_begins_with_its_status() -> None:
    assert next_state(WorkflowState(), SUPPRESSED, None) == WorkflowState(SUPPRESSED, sent=True)


@given(st.lists(st.sampled_from([*Status, *(f"people:{w}" for w in Workflow), "crash"])))
def test_whatever_happens_the_guard_never_lifts_what_people_suppressed(steps: list[str]) -> None:
    there, word, by_people = NEW, WorkflowState(), False
    for step in steps:
        if step.startswith("people:"):
            there = Workflow(step.removeprefix("people:"))
            by_people = there is SUPPRESSED and word.status is not SUPPRESSED
            continue
        if step == "crash":  # it died between notifying and recording that
            word = WorkflowState(word.status, sent=False)
            continue
        wanted = WANTED[Status(step)]
        if needs_update(word, wanted) and (said := next_state(word, wanted, there)):
            there, word = wanted, WorkflowState(said.status)
        assert not by_people or there is SUPPRESSED


def test_every_word_is_what_was_wanted() -> None:
    for status, sent, wanted, there in product(Workflow, (True, False), Workflow, Workflow):
        said = next_state(WorkflowState(status, sent=sent), wanted, there)
        assert said is None or said == WorkflowState(wanted, sent=False)
