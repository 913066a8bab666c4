"""Keep Security Hub in step with the ledger.

Why from the ledger's stream, and who may suppress: docs/adr/0015-security-hub.md
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Protocol

from emr_log_guard.domain.ledger import Entry, Kind
from emr_log_guard.domain.workflow import WANTED, FindingKey, Word, Workflow, next_word, outstanding
from emr_log_guard.observability import logger
from emr_log_guard.rendering.asff import asff
from emr_log_guard.usecases.ports import OpenFindings

_AT_ONCE = 100


class StoredFindings(OpenFindings, Protocol):
    """Reads findings."""

    def entries(self, keys: Collection[FindingKey]) -> Mapping[FindingKey, Entry]:
        """Read findings as they stand now, those that are not remembered left out."""
        ...


class Words(Protocol):
    """What the guard last said of findings in Security Hub."""

    def recall(self, keys: Collection[FindingKey]) -> Mapping[FindingKey, Word]:
        """Recall it, nothing where nothing was said."""
        ...

    def remember(self, key: FindingKey, word: Word, expires: datetime | None) -> None:
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

    ledger: StoredFindings
    words: Words
    hub: Hub
    unimported: Unimported
    clock: Callable[[], datetime]

    def __call__(self, keys: Iterable[FindingKey] | None) -> dict[str, int]:
        """Import findings; None is everything that is open, in the ledger or in Security Hub."""
        counts = {"imported": 0, "refused": 0, "unknown": 0}
        wanted = self._everything() if keys is None else keys
        for some in batched(dict.fromkeys(wanted), _AT_ONCE, strict=False):
            entries = self.ledger.entries(some)
            refused = self._import(entries) if entries else {}
            for key, reason in refused.items():
                logger.error("finding refused", key=f"{key.cluster_id}#{key.rule_id}", said=reason)
                self.unimported.keep(key, reason)
            counts["imported"] += len(entries) - len(refused)
            counts["refused"] += len(refused)
            counts["unknown"] += len(some) - len(entries)
        logger.info("findings imported", counts=counts)
        return counts

    def _everything(self) -> Iterable[FindingKey]:
        for entry in self.ledger.open_entries():
            yield FindingKey(entry.finding.cluster_id, entry.finding.rule_id)
        for finding_id in self.hub.active():
            cluster_arn, _, rule_id = finding_id.partition("#")
            yield FindingKey(cluster_arn.rpartition("/")[2], rule_id)

    def _import(self, entries: Mapping[FindingKey, Entry]) -> dict[FindingKey, str]:
        """Import some findings, at most 100; say which were refused."""
        ids = {entry.finding.id: key for key, entry in entries.items()}
        words = {key: Word() for key in entries} | dict(self.words.recall(entries))
        changed = [key for key, entry in entries.items() if outstanding(words[key], _wanted(entry))]
        # Before the import: what is not there yet begins with the right status.
        there = self.hub.workflows([entries[key].finding.id for key in changed]) if changed else {}
        now = self.clock()
        refused = self.hub.import_findings([_asff(entry, now) for entry in entries.values()])
        told = {ids[each]: reason for each, reason in refused.items()}
        for status in Workflow:
            some = [k for k in changed if k not in told and _wanted(entries[k]) is status]
            told |= self._say(some, status, entries, words, there)
        return told

    def _say(
        self,
        keys: Sequence[FindingKey],
        status: Workflow,
        entries: Mapping[FindingKey, Entry],
        words: Mapping[FindingKey, Word],
        there: Mapping[str, Workflow],
    ) -> dict[FindingKey, str]:
        """Set the workflow status of findings, unless people suppressed them."""
        due = {}
        for key in keys:
            entry = entries[key]
            word = next_word(words[key], status, there.get(entry.finding.id))
            if word is None:
                logger.info("suppressed by people", finding_id=entry.finding.id)
                continue
            self.words.remember(key, word, entry.expires)
            if not word.sent:
                due[entry.finding.id] = key
        refused = self.hub.set_workflow(due, status) if due else {}
        for finding_id, key in due.items():
            if finding_id not in refused:
                self.words.remember(key, Word(status), entries[key].expires)
        return {due[finding_id]: reason for finding_id, reason in refused.items()}


def _wanted(entry: Entry) -> Workflow:
    return WANTED[entry.finding.status]


def _asff(entry: Entry, now: datetime) -> dict[str, object]:
    return asff(entry.finding, now, cluster_ended=entry.final and entry.kind is Kind.CLUSTER)
