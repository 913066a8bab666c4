"""Between judging and telling: the ledger knows what is new, and who is about to tell of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import sleep
from uuid import uuid4

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.decide import (
    Action,
    Alert,
    CallOffEnforcement,
    RequestEnforcement,
    ScheduleEnforcement,
)
from emr_log_guard.domain.decisions import Decision, grounds_of
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.ledger import (
    RETENTION,
    Entry,
    Known,
    Memory,
    Sighting,
    ended,
    enter,
    transition,
    worth_writing,
)
from emr_log_guard.domain.news import News, news, told_of
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import AlertUnderWayError, LedgerConflictError
from emr_log_guard.observability import logger, record_actions
from emr_log_guard.rules import ALL_RULES
from emr_log_guard.rules.in_force import in_force
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
    """As it was just read, or as it is remembered; None when EMR does not know it here."""
    sightings: Sequence[Sighting] = ()
    known: Known | None = None
    """What there is to remember of the cluster; None when nothing new was read of it."""
    over: bool = False
    """Whether the cluster was seen to be gone: that resolves what was found of it."""
    since: datetime | None = None
    """When it happened, UTC, what the check was made for; None when no event told."""


@dataclass(frozen=True, slots=True)
class KeepLedger:
    """Writes down what a judgement changed, tells what people do not know, writes that down.

    Whoever dies on the way leaves an entry whose alert is owed; for CLAIM it is left to them, for
    they may only be slow. Then whoever comes next, the retry first of all, tells.
    """

    ledger: Ledger
    act: Act
    clock: Callable[[], datetime]
    by: str
    """The function whose decisions these are."""
    wait: Callable[[float], None] = sleep

    def __call__(
        self, judged: Judgement, policy: Policy, memory: Memory | None = None
    ) -> tuple[Action, ...]:
        """Enter a judgement, tell, and have the cluster ended, now or later, where that is due.

        Args:
            judged: What was found out.
            policy: What security wants.
            memory: What the ledger holds, if it was read a moment ago.

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
            held = memory if memory is not None else self.ledger.read(judged.cluster_id)
            memory = None
            try:
                fresh = self._enter(judged, policy, held, owner, written)
                break
            except LedgerConflictError:
                continue
        else:
            message = f"the ledger of {judged.cluster_id} is written to by too many at once"
            raise LedgerConflictError(message)
        if fresh.actions:
            self._record(judged, fresh, policy, owner)
        self.act(fresh.actions)
        record_actions(fresh.actions, self.clock() - judged.since if judged.since else None)
        self._write_down(fresh, policy, owner)
        if fresh.theirs and self._still_claimed(judged.cluster_id, fresh.theirs, owner):
            message = f"another invocation is about to tell of {', '.join(sorted(fresh.theirs))}"
            raise AlertUnderWayError(message)
        return fresh.actions

    def _enter(
        self, judged: Judgement, policy: Policy, memory: Memory, owner: str, written: set[str]
    ) -> News:
        """Write down what changed, claims included."""
        before, now = memory.entries, self.clock()
        self._remember(judged, memory, now)
        # What was written before somebody forestalled the rest must not be counted twice.
        after = _entered(before, judged, policy, written, now)
        fresh = news(after, judged.cluster, policy, now, owner)
        entries = dict(fresh.entries)
        for rule_id, entry in fresh.entries.items():
            known = before.get(rule_id)
            if worth_writing(known, entry):
                entries[rule_id] = self.ledger.write(entry)
                written.add(rule_id)
                _log(known, entry)
        return replace(fresh, entries=entries)

    def _remember(self, judged: Judgement, memory: Memory, now: datetime) -> None:
        if judged.known is None:
            return
        known = judged.known.merged_into(memory.known)
        if known.cluster.gone and known.expires is None:
            known = replace(known, expires=now + RETENTION)
        if known.says_more_than(memory.known):
            self.ledger.remember(known, memory.known)

    def _record(self, judged: Judgement, fresh: News, policy: Policy, owner: str) -> None:
        """Write down the decision before it is acted on."""
        standing = [entry.finding for entry in fresh.entries.values() if entry.open]
        told = [f for a in fresh.actions if isinstance(a, Alert) for f in a.findings]
        self.ledger.record(
            Decision(
                cluster_id=judged.cluster_id,
                at=self.clock(),
                by=self.by,
                invocation=owner,
                cluster_state=judged.cluster.state if judged.cluster else None,
                mode=policy.mode,
                policy_version=policy.version,
                decided=tuple(map(_in_words, fresh.actions)),
                grounds=grounds_of({f.rule_id: f for f in (*told, *standing)}.values()),
            )
        )

    def _still_claimed(self, cluster_id: str, theirs: Collection[str], owner: str) -> bool:
        """Give whoever is about to tell a few seconds, which is plenty unless it died."""
        for _ in range(WAITS):
            self.wait(1)
            entries = self.ledger.read(cluster_id).entries
            claims = [entries[rule_id].claim for rule_id in theirs]
            if not any(claim and claim.owner != owner for claim in claims):
                return False
        return True

    def _write_down(self, fresh: News, policy: Policy, owner: str) -> None:
        """Write down what was told and asked for."""
        now = self.clock()
        told, asked = fresh.told, fresh.asked(policy)
        for rule_id in sorted(told | asked):
            entry = fresh.entries[rule_id]
            self._note(entry, now, owner, told=rule_id in told, asked=rule_id in asked)

    def _note(self, entry: Entry, now: datetime, owner: str, *, told: bool, asked: bool) -> None:
        """Note what was told of an entry, whatever others have made of it since."""
        word = told_of(entry, now)

        def noted(current: Entry) -> Entry:
            if told:
                mine = current.claim is not None and current.claim.owner == owner
                current = replace(
                    current,
                    told=word.told,
                    terminated_at=word.terminated_at,
                    ever_told=True,
                    claim=None if mine else current.claim,
                )
            return replace(current, requested_at=now) if asked else current

        note(self.ledger, entry, noted)


def note(ledger: Ledger, entry: Entry, change: Callable[[Entry], Entry]) -> None:
    """Change an entry, whatever others have made of it since it was read.

    Raises:
        LedgerConflictError: Too many others wrote at once.

    """
    current = entry
    for _ in range(ATTEMPTS):
        try:
            ledger.write(change(current))
        except LedgerConflictError:
            current = ledger.read(entry.finding.cluster_id).entries[entry.finding.rule_id]
            continue
        return
    message = f"what became of {entry.finding.id} could not be written down"
    raise LedgerConflictError(message)


def _entered(
    before: Mapping[str, Entry],
    judged: Judgement,
    policy: Policy,
    written: Collection[str],
    now: datetime,
) -> dict[str, Entry]:
    """Enter each judgement; a cluster that is gone has its findings resolved by that."""
    if judged.over:
        return {rule_id: ended(entry, now) for rule_id, entry in before.items()}
    after = dict(before)
    for seen in judged.sightings:
        rule_id = seen.finding.rule_id
        entry = None if rule_id in written else enter(after.get(rule_id), seen)
        if entry is not None:
            after[rule_id] = entry
    judged_by = {rule.id for rule in in_force(ALL_RULES, policy)}
    switched_off = [e for rule_id, e in after.items() if e.open and rule_id not in judged_by]
    return after | {each.finding.rule_id: _switched_off(each, now) for each in switched_off}


def _switched_off(entry: Entry, now: datetime) -> Entry:
    """Resolve what the policy no longer judges by."""
    finding = replace(entry.finding, status=Status.RESOLVED, deadline=None)
    return replace(entry, finding=finding, judged_at=now, expires=now + RETENTION)


def _in_words(action: Action) -> str:
    match action:
        case Alert():
            rules = ", ".join(finding.rule_id for finding in action.findings)
            return f"tell {action.kind} of {rules}: {action.next_step}"
        case RequestEnforcement():
            return "have it looked at again and terminated now"
        case ScheduleEnforcement():
            return f"have it looked at again and terminated at {action.at:%Y-%m-%d %H:%M:%S} UTC"
        case CallOffEnforcement():
            return "call its termination off"


def _log(before: Entry | None, after: Entry) -> None:
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
