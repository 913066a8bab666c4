"""Between judging and telling: the ledger knows what is new, and who is about to tell of it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import sleep
from uuid import uuid4

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import (
    Action,
    Alert,
    AlertKind,
    NextStep,
    RequestEnforcement,
    decide,
    exempted,
    grounds,
)
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.ledger import (
    CLAIM,
    Claim,
    Entry,
    Kind,
    announce,
    ended,
    enter,
    owed,
    request_due,
    told_of,
    transition,
)
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import AlertUnderWayError, LedgerConflictError
from emr_log_guard.observability import logger
from emr_log_guard.usecases.act import Act
from emr_log_guard.usecases.ports import Ledger

ATTEMPTS = 12
"""How often a write that somebody else forestalled is made again from what they wrote."""


WAITS = 5
"""How often, a second apart, it is looked whether another invocation has told."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that one check found out about one cluster."""

    cluster_id: str
    cluster: Cluster | None
    """None when EMR does not know it here."""
    findings: Sequence[Finding]
    kind: Kind
    at: datetime
    """When its facts were read, UTC."""
    log_objects: tuple[ObjectVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class KeepLedger:
    """Writes down what a judgement changed, tells what people do not know, writes that down.

    Whoever dies on the way leaves an entry whose alert is owed; for CLAIM it is left to them, for
    they may only be slow. Then whoever comes next, the retry first of all, tells.
    """

    ledger: Ledger
    policy: Policy
    act: Act
    clock: Callable[[], datetime]
    wait: Callable[[float], None] = sleep

    def __call__(self, judged: Judgement) -> tuple[Action, ...]:
        """Enter a judgement, tell, and ask for enforcement.

        Returns:
            What was done.

        Raises:
            AlertUnderWayError: Something is owed that another invocation is about to tell; to be
                tried again, for it may have died.
            LedgerConflictError: Too many others wrote at once; to be tried again.

        """
        owner = uuid4().hex
        written: set[str] = set()
        for _ in range(ATTEMPTS):
            try:
                entries, actions, theirs = self._enter(judged, owner, written)
                break
            except LedgerConflictError:
                continue
        else:
            message = f"the ledger of {judged.cluster_id} is written to by too many at once"
            raise LedgerConflictError(message)
        self.act(actions)
        self._write_down(actions, entries, owner)
        if theirs and self._still_owed(judged.cluster_id, theirs):
            message = f"another invocation is about to tell of {', '.join(sorted(theirs))}"
            raise AlertUnderWayError(message)
        return actions

    def _still_owed(self, cluster_id: str, theirs: Collection[str]) -> bool:
        """Give whoever is about to tell a few seconds, which is plenty unless it died."""
        for _ in range(WAITS):
            self.wait(1)
            entries = self.ledger.read(cluster_id).entries.values()
            if not any(e.finding.id in theirs and owed(e, self.clock()) for e in entries):
                return False
        return True

    def _enter(
        self, judged: Judgement, owner: str, written: set[str]
    ) -> tuple[dict[str, Entry], tuple[Action, ...], set[str]]:
        memory = self.ledger.read(judged.cluster_id)
        before, cluster = memory.entries, judged.cluster
        if cluster is not None and judged.kind is Kind.CLUSTER and memory.lacks(cluster):
            self.ledger.remember(cluster)
        now = self.clock()
        # What was written before somebody forestalled the rest must not be counted twice.
        after = _entered(before, judged, written)
        actions, theirs = self._decide(judged, after, owner, now)
        mine = {f.rule_id for a in actions if isinstance(a, Alert) for f in a.findings}
        entries = {}
        for rule_id, entry in after.items():
            claimed = replace(entry, claim=Claim(owner, now + CLAIM)) if rule_id in mine else entry
            if claimed != before.get(rule_id):
                entries[rule_id] = self.ledger.write(claimed)
                written.add(rule_id)
                _record(before.get(rule_id), entry)
            else:
                entries[rule_id] = entry
        return entries, actions, theirs

    def _decide(
        self, judged: Judgement, after: Mapping[str, Entry], owner: str, now: datetime
    ) -> tuple[tuple[Action, ...], set[str]]:
        """Decide as if nobody knew anything, then leave out what they know."""
        cluster, policy = judged.cluster, self.policy
        about = after.values()
        standing = [entry.finding for entry in about if entry.open]
        actions = decide(standing, cluster, policy, now, judged.log_objects)
        told = {f.id for a in actions if isinstance(a, Alert) for f in a.findings}
        due: dict[str, AlertKind] = {}
        theirs: set[str] = set()
        for entry in about:
            kind = owed(entry, now)
            if kind is None or (entry.open and entry.finding.id not in told):
                continue
            if entry.claimed_by_another(owner, now):
                theirs.add(entry.finding.id)
            else:
                due[entry.finding.id] = kind
        proven = grounds(exempted(judged.findings, cluster, policy, now), policy)
        asked = [after[f.rule_id] for f in proven if f.rule_id in after]
        # Proven just now: what is only remembered is no reason to end anybody.
        request = bool(asked) and request_due(asked, now)
        kept = announce(actions, due, request=request)
        return (*kept, *self._resolved(about, due, cluster)), theirs

    def _resolved(
        self, about: Iterable[Entry], due: Mapping[str, AlertKind], cluster: Cluster | None
    ) -> tuple[Action, ...]:
        """Tell what people were told of and need not worry about any more."""
        gone = [e.finding for e in about if due.get(e.finding.id) is AlertKind.FINDING_RESOLVED]
        if not gone or self.policy.mode is Mode.OBSERVE:
            return ()
        worst_first = sorted(gone, key=lambda f: (-f.severity.rank, f.rule_id))
        first = worst_first[0]
        over = cluster is not None and cluster.ended
        return (
            Alert(
                AlertKind.FINDING_RESOLVED,
                first.cluster_arn,
                first.cluster_name,
                tuple(worst_first),
                NextStep.CLUSTER_ENDED if over else NextStep.RESOLVED,
                self.policy.mode,
                f"The cluster is {cluster.state}." if cluster is not None and over else "",
            ),
        )

    def _write_down(
        self, actions: Sequence[Action], entries: Mapping[str, Entry], owner: str
    ) -> None:
        """Write down what was told and asked for."""
        now = self.clock()
        told = {f.rule_id for a in actions if isinstance(a, Alert) for f in a.findings}
        requested = any(isinstance(action, RequestEnforcement) for action in actions)
        asked = {
            entry.finding.rule_id
            for entry in entries.values()
            if requested and entry.finding in grounds([entry.finding], self.policy)
        }
        for rule_id in sorted(told | asked):
            self._note(entries[rule_id], now, owner, told=rule_id in told, asked=rule_id in asked)

    def _note(self, entry: Entry, now: datetime, owner: str, *, told: bool, asked: bool) -> None:
        """Note what was told of an entry, whatever others have made of it since."""
        current, word = entry, told_of(entry, now)
        for _ in range(ATTEMPTS):
            noted = current
            if told:
                mine = current.claim is not None and current.claim.owner == owner
                claim = None if mine else current.claim
                noted = replace(noted, told=word.told, ever_told=True, claim=claim)
            if asked:
                noted = replace(noted, requested_at=now)
            try:
                self.ledger.write(noted)
            except LedgerConflictError:
                current = self.ledger.read(entry.finding.cluster_id).entries[entry.finding.rule_id]
                continue
            return
        message = f"what was told of {entry.finding.id} could not be written down"
        raise LedgerConflictError(message)


def _entered(
    before: Mapping[str, Entry], judged: Judgement, written: Collection[str]
) -> dict[str, Entry]:
    """Enter each finding; a cluster that ended has its findings resolved by that."""
    after = dict(before)
    over = judged.cluster is not None and judged.cluster.ended
    if over and judged.kind is Kind.CLUSTER:
        return {rule_id: ended(entry, judged.at) for rule_id, entry in after.items()}
    for finding in judged.findings:
        if finding.rule_id in written:
            continue
        entry = enter(after.get(finding.rule_id), finding, judged.kind, judged.at)
        if entry is not None:
            after[finding.rule_id] = entry
    return after


def _record(before: Entry | None, after: Entry) -> None:
    change = transition(before, after)
    if change is not None and (before is None or before.open is not after.open):
        finding = after.finding
        logger.info(
            "finding changed",
            transition=change,
            cluster_id=finding.cluster_id,
            rule_id=finding.rule_id,
            compliance=finding.compliance,
        )
