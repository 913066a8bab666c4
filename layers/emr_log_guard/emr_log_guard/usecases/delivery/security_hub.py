"""Keep Security Hub in step with the ledger.

Why from the ledger's stream, and who may suppress: docs/adr/0015-security-hub.md
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

_AT_ONCE = 100


class StoredFindings(OpenFindings, Protocol):
    """Reads findings."""

    def records(self, keys: Collection[FindingKey]) -> Mapping[FindingKey, FindingRecord]:
        """Read findings as they stand now, those that are not remembered left out."""
        ...


class WorkflowStateStore(Protocol):
    """What the guard last said of findings in Security Hub."""

    def recall(self, keys: Collection[FindingKey]) -> Mapping[FindingKey, WorkflowState]:
        """Recall it, nothing where nothing was said."""
        ...

    def remember(self, key: FindingKey, word: WorkflowState, expires: datetime | None) -> None:
        """Write it down."""
        ...


class Hub(Protocol):
    """Security Hub."""

    def active(self) -> Iterable[str]:
        """Name the findings of the guard that are not archived."""
        ...

    def workflows(self, finding_ids: Collection[str]) -> Mapping[str, Workflow]:
        """Read workflow statuses, of what is there."""
        ...

    def import_findings(self, findings: Sequence[Mapping[str, object]]) -> Mapping[str, str]:
        """Import findings in ASFF; say which were refused, and why."""
        ...

    def set_workflow(self, finding_ids: Iterable[str], status: Workflow) -> Mapping[str, str]:
        """Set a workflow status; say which findings were refused, and why."""
        ...


class Unimported(Protocol):
    """Keeps what Security Hub does not take."""

    def keep(self, key: FindingKey, reason: str) -> None:
        """Keep it for a replay."""
        ...


@dataclass(frozen=True, slots=True)
class ImportFindings:
    """Imports findings as they stand in the ledger at this moment.

    What Security Hub refuses is kept as a dead letter each, so that one finding does not hold up
    the others. When it cannot be spoken to at all the error flies, and all is tried again.
    """

    repository: StoredFindings
    words: WorkflowStateStore
    hub: Hub
    unimported: Unimported
    clock: Callable[[], datetime]

    def __call__(self, keys: Iterable[FindingKey] | None) -> dict[str, int]:
        """Import findings; None is everything that is open, in the ledger or in Security Hub."""
        counts = {"imported": 0, "refused": 0, "unknown": 0}
        wanted = self._everything() if keys is None else keys
        for some in batched(dict.fromkeys(wanted), _AT_ONCE, strict=False):
            records = self.repository.records(some)
            refused = self._import(records) if records else {}
            for key, reason in refused.items():
                logger.error("finding refused", key=f"{key.cluster_id}#{key.rule_id}", said=reason)
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
        """Import some findings, at most 100; say which were refused."""
        ids = {record.finding.id: key for key, record in records.items()}
        words = {key: WorkflowState() for key in records} | dict(self.words.recall(records))
        changed = [
            key for key, record in records.items() if needs_update(words[key], _wanted(record))
        ]
        # Before the import: what is not there yet begins with the right status.
        there = self.hub.workflows([records[key].finding.id for key in changed]) if changed else {}
        now = self.clock()
        refused = self.hub.import_findings([_asff(record, now) for record in records.values()])
        notified = {ids[each]: reason for each, reason in refused.items()}
        for status in Workflow:
            some = [k for k in changed if k not in notified and _wanted(records[k]) is status]
            notified |= self._say(some, status, records, words, there)
        return notified

    def _say(
        self,
        keys: Sequence[FindingKey],
        status: Workflow,
        records: Mapping[FindingKey, FindingRecord],
        words: Mapping[FindingKey, WorkflowState],
        there: Mapping[str, Workflow],
    ) -> dict[FindingKey, str]:
        """Set the workflow status of findings, unless people suppressed them."""
        due = {}
        for key in keys:
            record = records[key]
            word = next_state(words[key], status, there.get(record.finding.id))
            if word is None:
                logger.info("suppressed by people", finding_id=record.finding.id)
                continue
            self.words.remember(key, word, record.expires)
            if not word.sent:
                due[record.finding.id] = key
        refused = self.hub.set_workflow(due, status) if due else {}
        for finding_id, key in due.items():
            if finding_id not in refused:
                self.words.remember(key, WorkflowState(status), records[key].expires)
        return {due[finding_id]: reason for finding_id, reason in refused.items()}


def _wanted(record: FindingRecord) -> Workflow:
    return WANTED[record.finding.status]


def _asff(record: FindingRecord, now: datetime) -> dict[str, object]:
    return asff(
        record.finding, now, cluster_terminated=record.final and record.kind is Kind.CLUSTER
    )
