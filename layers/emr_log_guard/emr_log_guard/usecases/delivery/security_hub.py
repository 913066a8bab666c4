"""Keep Security Hub in sync with the recorded findings.

Why from the table's stream, and who may suppress: docs/adr/0015-security-hub.md
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Protocol

from emr_log_guard.domain.finding_record import FindingRecord, Kind
from emr_log_guard.domain.workflow_state import (
    WANTED,
    FindingKey,
    Workflow,
    WorkflowState,
    needs_update,
    next_state,
)
from emr_log_guard.observability import logger
from emr_log_guard.rendering.alerts.asff import asff
from emr_log_guard.usecases.ports import OpenFindings

_BATCH = 100


class StoredFindings(OpenFindings, Protocol):
    """Reads findings."""

    def records(self, keys: Collection[FindingKey]) -> Mapping[FindingKey, FindingRecord]:
        """Read the current records; missing ones are left out."""
        ...


class WorkflowStateStore(Protocol):
    """Stores the workflow statuses that the guard last set."""

    def read(self, keys: Collection[FindingKey]) -> Mapping[FindingKey, WorkflowState]:
        """Read them; those that were never set are left out."""
        ...

    def write(self, key: FindingKey, state: WorkflowState, expires: datetime | None) -> None:
        """Store one."""
        ...


class Hub(Protocol):
    """Security Hub."""

    def active(self) -> Iterable[str]:
        """List the ids of the guard's findings that are not archived."""
        ...

    def workflows(self, finding_ids: Collection[str]) -> Mapping[str, Workflow]:
        """Read the workflow statuses of existing findings."""
        ...

    def import_findings(self, findings: Sequence[Mapping[str, object]]) -> Mapping[str, str]:
        """Import findings in ASFF; return those refused, and why."""
        ...

    def set_workflow(self, finding_ids: Iterable[str], status: Workflow) -> Mapping[str, str]:
        """Set a workflow status; return the findings refused, and why."""
        ...


class Unimported(Protocol):
    """Keeps findings that Security Hub refuses."""

    def keep(self, key: FindingKey, reason: str) -> None:
        """Keep one for a replay."""
        ...


@dataclass(frozen=True, slots=True)
class ImportFindings:
    """Imports findings in their current recorded state.

    Each refused finding is kept as a dead letter, so that it does not block the others. If Security
    Hub cannot be reached at all, the error propagates, and everything is retried.
    """

    repository: StoredFindings
    states: WorkflowStateStore
    hub: Hub
    unimported: Unimported
    clock: Callable[[], datetime]

    def __call__(self, keys: Iterable[FindingKey] | None) -> dict[str, int]:
        """Import findings; None: everything that is open, recorded or in Security Hub."""
        counts = {"imported": 0, "refused": 0, "unknown": 0}
        wanted = self._everything() if keys is None else keys
        for some in batched(dict.fromkeys(wanted), _BATCH):
            records = self.repository.records(some)
            refused = self._import(records) if records else {}
            for key, reason in refused.items():
                logger.error(
                    "finding refused", key=f"{key.cluster_id}#{key.rule_id}", reason=reason
                )
                self.unimported.keep(key, reason)
            counts["imported"] += len(records) - len(refused)
            counts["refused"] += len(refused)
            counts["unknown"] += len(some) - len(records)
        logger.info("findings imported", counts=counts)
        return counts

    def _everything(self) -> Iterable[FindingKey]:
        for record in self.repository.open_records():
            yield FindingKey(record.finding.cluster_id, record.finding.rule_id)
        for finding_id in self.hub.active():
            cluster_arn, _, rule_id = finding_id.partition("#")
            yield FindingKey(cluster_arn.rpartition("/")[2], rule_id)

    def _import(self, records: Mapping[FindingKey, FindingRecord]) -> dict[FindingKey, str]:
        """Import at most 100 findings; return those refused."""
        ids = {record.finding.id: key for key, record in records.items()}
        states = {key: WorkflowState() for key in records} | dict(self.states.read(records))
        changed = [
            key for key, record in records.items() if needs_update(states[key], _wanted(record))
        ]
        # Before the import: new findings start with the right status.
        current = (
            self.hub.workflows([records[key].finding.id for key in changed]) if changed else {}
        )
        now = self.clock()
        refused = self.hub.import_findings([_asff(record, now) for record in records.values()])
        failed = {ids[each]: reason for each, reason in refused.items()}
        for status in Workflow:
            some = [k for k in changed if k not in failed and _wanted(records[k]) is status]
            failed |= self._set_workflow(some, status, records, states, current)
        return failed

    def _set_workflow(
        self,
        keys: Sequence[FindingKey],
        status: Workflow,
        records: Mapping[FindingKey, FindingRecord],
        states: Mapping[FindingKey, WorkflowState],
        current: Mapping[str, Workflow],
    ) -> dict[FindingKey, str]:
        """Set the workflow status of findings, unless a user suppressed them."""
        due = {}
        for key in keys:
            record = records[key]
            state = next_state(states[key], status, current.get(record.finding.id))
            if state is None:
                logger.info("suppressed by a user", finding_id=record.finding.id)
                continue
            self.states.write(key, state, record.expires)
            if not state.sent:
                due[record.finding.id] = key
        refused = self.hub.set_workflow(due, status) if due else {}
        for finding_id, key in due.items():
            if finding_id not in refused:
                self.states.write(key, WorkflowState(status), records[key].expires)
        return {due[finding_id]: reason for finding_id, reason in refused.items()}


def _wanted(record: FindingRecord) -> Workflow:
    return WANTED[record.finding.status]


def _asff(record: FindingRecord, now: datetime) -> dict[str, object]:
    return asff(
        record.finding, now, cluster_terminated=record.final and record.kind is Kind.CLUSTER
    )
