from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emr_log_guard.adapters.dynamodb import DynamoFindingRepository, DynamoWorkflowStates
from emr_log_guard.domain.finding_record import FindingRecord, Kind
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.workflow_state import FindingKey, Workflow, WorkflowState
from emr_log_guard.usecases.delivery.security_hub import ImportFindings
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, a_finding
from tests.unit.fake_table import FakeTable

KEY = FindingKey(CLUSTER_ID, "EMRLOG-002")
ID = f"{a_cluster().arn}#EMRLOG-002"


class FakeHub:
    """Security Hub as AWS describes it: an import changes no workflow status."""

    def __init__(self) -> None:
        self.findings: dict[str, Any] = {}
        self.calls: list[str] = []
        self.refusing: dict[str, str] = {}
        self.importing = True
        """Whether it is imports that are refused, too."""
        self.failing: str | None = None

    def status(self, finding_id: str = ID) -> tuple[str, str, str]:
        found = self.findings[finding_id]
        workflow: str = found["Workflow"]["Status"]
        return found["Compliance"]["Status"], workflow, found["RecordState"]

    def user_sets(self, status: str, finding_id: str = ID) -> None:
        self.findings[finding_id]["Workflow"] = {"Status": status}

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if operation == self.failing:
            raise ConnectionError(operation)

    def active(self) -> Iterable[str]:
        self._called("active")
        return [i for i, found in self.findings.items() if found["RecordState"] == "ACTIVE"]

    def workflows(self, finding_ids: Collection[str]) -> Mapping[str, Workflow]:
        self._called("workflows")
        there = [each for each in finding_ids if each in self.findings]
        return {each: Workflow(self.findings[each]["Workflow"]["Status"]) for each in there}

    def import_findings(self, findings: Sequence[Mapping[str, object]]) -> Mapping[str, str]:
        self._called("import")
        assert len(findings) <= 100
        for finding in findings:
            finding_id = str(finding["Id"])
            if finding_id not in self.refusing or not self.importing:
                there = self.findings.get(finding_id, finding)
                self.findings[finding_id] = {**finding, "Workflow": there["Workflow"]}
        sent = {finding["Id"] for finding in findings} if self.importing else set()
        return {each: why for each, why in self.refusing.items() if each in sent}

    def set_workflow(self, finding_ids: Iterable[str], status: Workflow) -> Mapping[str, str]:
        self._called("set")
        for finding_id in finding_ids:
            if finding_id not in self.refusing:
                self.user_sets(status.value, finding_id)
        return {each: self.refusing[each] for each in finding_ids if each in self.refusing}


class Letters:
    def __init__(self) -> None:
        self.kept: list[tuple[FindingKey, str]] = []

    def keep(self, key: FindingKey, reason: str) -> None:
        self.kept.append((key, reason))


class World:
    def __init__(self) -> None:
        self.table, self.hub, self.letters = FakeTable(), FakeHub(), Letters()
        self.repository = DynamoFindingRepository(self.table, "findings")
        self.states = DynamoWorkflowStates(self.table, "findings")
        self.imports = ImportFindings(
            self.repository, self.states, self.hub, self.letters, lambda: NOW + timedelta(minutes=1)
        )

    def store(self, status: Status, rule_id: str = "EMRLOG-002", **changes: Any) -> None:  # noqa: ANN401
        """Have a finding recorded so."""
        held = self.repository.read(CLUSTER_ID).records.get(rule_id)
        finding = a_finding(rule_id, status=status)
        record = held or FindingRecord(
            finding=finding, kind=Kind.CLUSTER, opened_at=NOW, evaluated_at=NOW
        )
        self.repository.write(replace(record, finding=finding, **changes))

    def sync(self) -> dict[str, int]:
        self.hub.calls.clear()
        return self.imports([KEY])


@pytest.fixture
def world() -> World:
    return World()


def test_open_finding_needs_one_import_and_two_reads(world: World) -> None:
    world.store(Status.OPEN)
    world.table.calls.clear()

    assert world.sync() == {"imported": 1, "refused": 0, "unknown": 0}

    assert world.hub.status() == ("FAILED", "NEW", "ACTIVE")
    assert world.hub.findings[ID]["UpdatedAt"] == "2026-03-14T15:10:26.000Z"
    assert world.hub.calls == ["import"]
    assert world.table.counts == {"BatchGetItem": 2}


def test_finding_is_imported_in_its_current_state_after_several_changes(world: World) -> None:
    world.store(Status.OPEN)
    world.store(Status.RESOLVED)

    world.imports([KEY, KEY])

    assert world.hub.status() == ("PASSED", "RESOLVED", "ACTIVE")
    assert world.hub.calls == ["workflows", "import"]  # it begins with the right status


def test_resolved_finding_passes_and_reopened_finding_fails(world: World) -> None:
    world.store(Status.OPEN)
    world.sync()

    world.store(Status.RESOLVED)
    world.sync()
    assert world.hub.status() == ("PASSED", "RESOLVED", "ACTIVE")
    assert world.hub.calls == ["workflows", "import", "set"]

    world.sync()
    assert world.hub.calls == ["import"]

    world.store(Status.OPEN)
    world.sync()
    assert world.hub.status() == ("FAILED", "NEW", "ACTIVE")


def test_exemption_suppresses_the_finding_and_its_end_restores_it(world: World) -> None:
    world.store(Status.OPEN)
    world.sync()

    world.store(Status.EXEMPT)
    world.sync()
    assert world.hub.status() == ("FAILED", "SUPPRESSED", "ACTIVE")

    world.store(Status.OPEN)
    world.sync()
    assert world.hub.status() == ("FAILED", "NEW", "ACTIVE")


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.EXEMPT, Status.OPEN])
def test_finding_suppressed_in_security_hub_stays_suppressed(world: World, status: Status) -> None:
    world.store(Status.OPEN)
    world.sync()
    world.hub.user_sets("SUPPRESSED")

    world.store(status)
    world.sync()
    world.store(Status.OPEN)
    world.sync()

    assert world.hub.status() == ("FAILED", "SUPPRESSED", "ACTIVE")


def test_workflow_status_set_in_security_hub_is_kept(world: World) -> None:
    world.store(Status.OPEN)
    world.sync()
    world.hub.user_sets("NOTIFIED")

    world.sync()

    assert world.hub.status() == ("FAILED", "NOTIFIED", "ACTIVE")


def test_termination_archives_findings_of_the_cluster_but_not_of_its_log_objects(
    world: World,
) -> None:
    for rule_id, kind in (("EMRLOG-002", Kind.CLUSTER), ("EMRLOG-101", Kind.LOG_OBJECTS)):
        world.store(Status.RESOLVED, rule_id, kind=kind, final=True, expires=NOW)

    world.imports([KEY, FindingKey(CLUSTER_ID, "EMRLOG-101")])

    assert world.hub.status() == ("NOT_AVAILABLE", "RESOLVED", "ARCHIVED")
    other = ID.replace("002", "101")
    assert world.hub.status(other) == ("PASSED", "RESOLVED", "ACTIVE")
    assert world.table.items[CLUSTER_ID, "workflow#EMRLOG-002"]["expires"]


@pytest.mark.parametrize("failing", ["workflows", "import", "set"])
def test_failed_call_is_repaired_by_the_next_attempt(world: World, failing: str) -> None:
    world.store(Status.OPEN)
    world.sync()
    world.store(Status.EXEMPT)
    world.hub.failing = failing
    with pytest.raises(ConnectionError):
        world.sync()
    if failing == "set":  # it may have been taken all the same
        world.hub.user_sets("SUPPRESSED")

    world.hub.failing = None
    world.sync()
    assert world.hub.status() == ("FAILED", "SUPPRESSED", "ACTIVE")
    assert world.states.read([KEY]) == {KEY: WorkflowState(Workflow.SUPPRESSED)}

    world.store(Status.OPEN)
    world.sync()
    assert world.hub.status() == ("FAILED", "NEW", "ACTIVE")


def test_rejected_finding_becomes_a_dead_letter_and_does_not_block_others(world: World) -> None:
    other = FindingKey(CLUSTER_ID, "EMRLOG-004")
    world.store(Status.EXEMPT)
    world.store(Status.OPEN, "EMRLOG-004")
    world.hub.refusing = {ID: "InvalidInput: no"}

    assert world.imports([KEY, other]) == {"imported": 1, "refused": 1, "unknown": 0}

    assert world.letters.kept == [(KEY, "InvalidInput: no")]
    assert world.hub.status(ID.replace("002", "004")) == ("FAILED", "NEW", "ACTIVE")
    assert not world.states.read([KEY])


def test_rejected_workflow_status_becomes_a_dead_letter_and_stays_unsent(world: World) -> None:
    world.store(Status.OPEN)
    world.sync()
    world.store(Status.EXEMPT)
    world.hub.refusing = {ID: "InternalFailure: later"}
    world.hub.importing = False

    assert world.sync() == {"imported": 0, "refused": 1, "unknown": 0}

    assert world.letters.kept == [(KEY, "InternalFailure: later")]
    assert world.states.read([KEY]) == {KEY: WorkflowState(Workflow.SUPPRESSED, sent=False)}


def test_missing_record_is_counted_as_unknown(world: World) -> None:
    assert world.sync() == {"imported": 0, "refused": 0, "unknown": 1}
    assert world.hub.calls == []


def test_full_import_covers_open_records_and_findings_active_in_security_hub(world: World) -> None:
    world.store(Status.OPEN, "EMRLOG-004")
    world.store(Status.OPEN)
    world.sync()
    world.store(Status.RESOLVED)  # and its event was lost
    gone = a_finding("EMRLOG-010", id=ID.replace("002", "010"))
    world.hub.findings[gone.id] = world.hub.findings[ID]

    assert world.imports(None) == {"imported": 2, "refused": 0, "unknown": 1}

    assert world.hub.status() == ("PASSED", "RESOLVED", "ACTIVE")
    assert world.hub.status(ID.replace("002", "004")) == ("FAILED", "NEW", "ACTIVE")


def test_findings_are_imported_in_batches_of_a_hundred(world: World) -> None:
    keys = [FindingKey(CLUSTER_ID, f"EMRLOG-{n}") for n in range(100, 350)]
    for key in keys:
        world.store(Status.OPEN, key.rule_id)

    assert world.imports(keys)["imported"] == 250

    assert world.hub.calls == ["import"] * 3
