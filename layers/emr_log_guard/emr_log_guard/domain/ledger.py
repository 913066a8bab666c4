"""What the ledger remembers of a finding, and what a new judgement makes of it.

An alert is owed for as long as what people were told differs from what stands: nothing is lost
when a function dies between writing and telling, for whoever comes next sees the difference.
Why so, and what follows: docs/adr/0009-the-ledger.md
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import Action, Alert, AlertKind, RequestEnforcement
from emr_log_guard.domain.findings import Evidence, Finding, Status

SKEW = timedelta(seconds=3)
"""Judgements closer than this may have come in either order: the fault stands."""
QUIET = timedelta(minutes=5)
"""A repeat so soon after the last sighting that was written down is not written down."""
CLAIM = timedelta(seconds=150)
"""The de-duplication window: how long an alert is left to whoever took it upon itself.

Longer than any function that alerts may run, shorter than Lambda's last retry (three minutes).
"""
REQUEST_AGAIN = timedelta(minutes=10)
"""How long a request for enforcement is not repeated."""
REMIND = timedelta(hours=24)
"""How long after an alert people are reminded of what is still open."""
RETENTION = timedelta(days=90)
"""How long what is resolved, and what a cluster that ended leaves behind, is remembered."""
SAMPLES = 5
"""How many objects a finding names, over all batches."""


class Kind(StrEnum):
    """What a finding is about, and so what clears it."""

    CLUSTER = "cluster"
    """Cleared by a later judgement, or by the cluster's end."""
    LOG_OBJECTS = "log_objects"
    """Not cleared by later good objects, nor by the cluster's end: the bad ones are still there."""


class Transition(StrEnum):
    """What a judgement made of a finding."""

    OPENED = "opened"
    STILL_OPEN = "still_open"
    RESOLVED = "resolved"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Told:
    """What people were last told of an open finding."""

    at: datetime
    compliance: Compliance


@dataclass(frozen=True, slots=True)
class Claim:
    """Who is about to tell, and until when nobody else does."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A finding as the ledger remembers it."""

    finding: Finding
    kind: Kind
    judged_at: datetime
    """When the facts of the newest judgement that was written down were read, UTC."""
    told: Told | None = None
    """None while nobody knows that it is open, or once they know that it is resolved."""
    claim: Claim | None = None
    requested_at: datetime | None = None
    """When `enforce` was last asked to look at the cluster because of it."""
    ever_told: bool = False
    """Whether people ever heard of it: what they hear of again was reopened."""
    final: bool = False
    """Whether the cluster ended: what is resolved then never opens again."""
    expires: datetime | None = None
    """When it may be forgotten."""
    version: int = 0
    """How often it was written; 0 is never."""

    @property
    def open(self) -> bool:
        """Whether the finding stands."""
        return self.finding.status is Status.OPEN

    def claimed_by_another(self, owner: str, now: datetime) -> bool:
        """Whether somebody else is about to tell of it."""
        return self.claim is not None and self.claim.owner != owner and now < self.claim.until


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is remembered of a cluster."""

    entries: Mapping[str, Entry]
    """By rule id."""
    cluster: Cluster | None = None
    """Its settings, which cannot change; state, protection and tags as they were."""

    def lacks(self, cluster: Cluster) -> bool:
        """Whether a cluster's settings or tags are to be remembered, or anew."""
        known = self.cluster
        return known is None or cluster != replace(
            known, state=cluster.state, termination_protected=cluster.termination_protected
        )


def enter(entry: Entry | None, found: Finding, kind: Kind, judged_at: datetime) -> Entry | None:
    """Enter a judgement into what is remembered of its finding.

    Args:
        entry: What is remembered; None when it never opened.
        found: The judgement, whatever its compliance.
        kind: What it is about.
        judged_at: When its facts were read, UTC.

    Returns:
        What is to be remembered: the same entry when there is nothing to write down, None when
        there is still nothing to remember.

    """
    if not found.needs_attention:
        return entry and _cleared(entry, judged_at)
    if entry is None:
        return Entry(finding=replace(found, status=Status.OPEN), kind=kind, judged_at=judged_at)
    if not entry.open:
        return _reopened(entry, found, judged_at)
    if kind is Kind.LOG_OBJECTS:
        return _added(entry, found, judged_at)
    return _seen_again(entry, found, judged_at)


def transition(before: Entry | None, after: Entry | None) -> Transition | None:
    """Name what a judgement made of a finding; None when there is none, or it stays resolved."""
    was, now = before is not None and before.open, after is not None and after.open
    if now:
        if was:
            return Transition.STILL_OPEN
        return Transition.OPENED if before is None else Transition.REOPENED
    return Transition.RESOLVED if was else None


def ended(entry: Entry, now: datetime) -> Entry:
    """Enter a cluster's end: in whatever order it is heard of, there is no way back from it."""
    if entry.final:
        return entry
    final = replace(entry, final=True, expires=now + RETENTION)
    return final if entry.kind is Kind.LOG_OBJECTS or not entry.open else _resolved(final, now)


def owed(entry: Entry, now: datetime, remind: timedelta = REMIND) -> AlertKind | None:
    """Say what people should hear of a finding; None when they know how it stands."""
    told = entry.told
    if not entry.open:
        # Who claimed to tell may have told before it died: better a word too much.
        return AlertKind.FINDING_RESOLVED if told or entry.claim else None
    if told is None:
        return AlertKind.FINDING_REOPENED if entry.ever_told else AlertKind.FINDING_OPENED
    if told.compliance is not entry.finding.compliance:
        return AlertKind.FINDING_OPENED  # what was in doubt is proven now
    return AlertKind.FINDING_REMINDER if now - told.at >= remind else None


def request_due(entries: Iterable[Entry], now: datetime) -> bool:
    """Say whether `enforce` was not asked for any of these lately."""
    asked = [entry.requested_at for entry in entries if entry.requested_at]
    return not asked or now - max(asked) >= REQUEST_AGAIN


def told_of(entry: Entry, now: datetime) -> Entry:
    """Write down that people know how it stands."""
    told = Told(now, entry.finding.compliance) if entry.open else None
    return replace(entry, told=told, ever_told=True, claim=None)


def announce(
    actions: Iterable[Action], due: Mapping[str, AlertKind], *, request: bool
) -> tuple[Action, ...]:
    """Keep of what was decided what people do not know, an alert for each kind of news.

    Args:
        actions: What follows from all that stands.
        due: The kind of news by finding id; other findings are known.
        request: Whether a request for enforcement is due.

    """
    kept: list[Action] = []
    for action in actions:
        if isinstance(action, Alert):
            for kind in (
                AlertKind.FINDING_OPENED,
                AlertKind.FINDING_REOPENED,
                AlertKind.FINDING_REMINDER,
            ):
                news = tuple(f for f in action.findings if due.get(f.id) is kind)
                if news:
                    kept.append(replace(action, kind=kind, findings=news))
        elif isinstance(action, RequestEnforcement) and request:
            kept.append(action)
    return tuple(kept)


def _cleared(entry: Entry, judged_at: datetime) -> Entry:
    if not entry.open or entry.kind is Kind.LOG_OBJECTS or judged_at <= entry.judged_at + SKEW:
        return entry
    return _resolved(replace(entry, expires=judged_at + RETENTION), judged_at)


def _resolved(entry: Entry, at: datetime) -> Entry:
    return replace(
        entry,
        finding=replace(entry.finding, status=Status.RESOLVED, deadline=None),
        judged_at=max(entry.judged_at, at),
    )


def _reopened(entry: Entry, found: Finding, judged_at: datetime) -> Entry:
    if entry.final or judged_at < entry.judged_at - SKEW:
        return entry
    return replace(
        entry,
        finding=_sighted(entry.finding, found, entry.finding.occurrences + 1),
        judged_at=max(entry.judged_at, judged_at),
        # Whoever claimed to tell that it is resolved may have told before it died.
        told=None if entry.claim else entry.told,
        requested_at=None,
        expires=None,
    )


def _seen_again(entry: Entry, found: Finding, judged_at: datetime) -> Entry:
    known = entry.finding
    proven = known.compliance is not Compliance.NON_COMPLIANT and (
        found.compliance is Compliance.NON_COMPLIANT
    )
    if not proven and judged_at < entry.judged_at + QUIET:
        return entry
    return replace(
        entry,
        finding=_sighted(known, found, known.occurrences + 1),
        judged_at=max(entry.judged_at, judged_at),
    )


def _added(entry: Entry, found: Finding, judged_at: datetime) -> Entry:
    """Add a batch of objects; those in doubt add nothing to those that are proven bad."""
    known = entry.finding
    if known.compliance is found.compliance:
        count, samples = known.occurrences + found.occurrences, _samples(known, found)
    elif found.compliance is Compliance.NON_COMPLIANT:
        count, samples = found.occurrences, found.evidence
    else:
        count, samples = known.occurrences, known.evidence
    finding = replace(_sighted(known, found, count), evidence=samples)
    expires = judged_at + RETENTION if entry.final else None
    judged_at = max(entry.judged_at, judged_at)
    return replace(entry, finding=finding, judged_at=judged_at, expires=expires)


def _sighted(known: Finding, found: Finding, occurrences: int) -> Finding:
    """See a finding again: not knowing does not replace what was proven."""
    doubt = (
        known.status is Status.OPEN
        and known.compliance is Compliance.NON_COMPLIANT
        and found.compliance is Compliance.INSUFFICIENT_DATA
    )
    return replace(
        known if doubt else found,
        status=Status.OPEN,
        first_seen=min(known.first_seen, found.first_seen),
        last_seen=max(known.last_seen, found.last_seen),
        occurrences=occurrences,
    )


def _samples(known: Finding, found: Finding) -> Evidence:
    samples = (known.evidence.get("samples"), found.evidence.get("samples"))
    named = [name for each in samples if isinstance(each, tuple) for name in each]
    return {**known.evidence, "samples": tuple(dict.fromkeys(named))[:SAMPLES]}
