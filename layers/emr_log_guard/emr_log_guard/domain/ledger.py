"""What the ledger remembers of a finding, and what a new result makes of it.

Why so, and what follows: docs/adr/0010-the-ledger.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Evidence, Finding, Status
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.policy import Enforcement, Policy
from emr_log_guard.domain.termination import Termination

SKEW = timedelta(seconds=3)
"""Results closer than this may have come in either order: the fault stands."""
QUIET = timedelta(minutes=5)
"""A repeat so soon after the last result that was written down is not written down."""
CLAIM = timedelta(seconds=150)
"""The de-duplication window: how long an alert is left to whoever took it upon itself.

Longer than any function that an event invokes may run, and shorter than Lambda's last retry (three
minutes). A re-scan may run longer; it tells of each cluster right after it claimed to.
"""
RETENTION = timedelta(days=90)
"""How long what is resolved, and what a cluster that ended leaves behind, is remembered."""
STILL_WRITTEN = timedelta(hours=1)
"""How recently a bad log object has to be written for a termination to prevent another one: EMR
archives logs every five minutes.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
"""
TRANSIENT_QUIET = timedelta(minutes=5)
"""How long a transient fact has to last before it alerts: a key may be younger than its cluster."""
OWED_LATE = timedelta(minutes=5)
"""How long a notification may be pending before that is a symptom."""
_DEFAULTS = Enforcement()
SAMPLES = 5
"""How many objects a finding's evidence names, over all batches."""
OBJECTS = 10
"""How many bad log objects are remembered, to be looked at again one by one."""


class Kind(StrEnum):
    """What a finding is about, and so what clears it."""

    CLUSTER = "cluster"
    """Cleared by a later result, or by the cluster's end."""
    LOG_OBJECTS = "log_objects"
    """Cleared when each bad object is known to be good or gone, whatever becomes of the cluster."""


class Extent(StrEnum):
    """How the log objects of a result relate to those that were counted before."""

    MORE = "more"
    """They come on top: they were just created."""
    AGAIN = "again"
    """Some of them, or all, may have been counted."""
    ALL = "all"
    """They are all that the cluster has, as far as nobody entered others since they were read."""


class Transition(StrEnum):
    """What a result made of a finding."""

    OPENED = "opened"
    STILL_OPEN = "still_open"
    RESOLVED = "resolved"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Told:
    """What people were last told of an open finding."""

    at: datetime
    compliance: Compliance
    deadline: datetime | None = None
    """When the cluster would be terminated; a schedule stands for it, if it was to come."""


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
    opened_at: datetime
    """Since when it stands without a break, UTC: grace is counted from here."""
    at_launch: bool = False
    """Whether the cluster was not running yet when it opened."""
    judged_at: datetime
    """When the facts of the newest result that was written down were read, UTC."""
    objects: tuple[ObjectVersion, ...] = ()
    """Bad log objects, as many as are remembered; there are more if `occurrences` says so."""
    newest: datetime | None = None
    """When the newest of the bad log objects was written, UTC; None where that is not known."""
    told: Told | None = None
    """None while nobody knows that it is open, or once they know that it is resolved."""
    claim: Claim | None = None
    transient_since: datetime | None = None
    """Since when it rests on a transient fact, without a break, UTC; None where it does not."""
    transient_violation: bool = False
    """Whether that fact was ever read, and is wrong: what was only unread proves nothing."""
    pending_since: datetime | None = None
    """Since when a notification of it is pending, UTC; None when there is none."""
    decided_under: datetime | None = None
    """When the policy was stored under which it was last decided, UTC: an older one never decides
    against it."""
    notifications: int = 0
    """How many notifications of it were accepted: each has an id of its own by that."""
    ever_told: bool = False
    """Whether people ever heard of it: what they hear of again was reopened."""
    end_notified: bool = False
    """Whether people were notified that the guard terminated the cluster because of it."""
    final: bool = False
    """Whether the cluster ended: what is resolved then never opens again."""
    expires: datetime | None = None
    """When it may be forgotten."""
    version: int = 0
    """How often it was written; 0 is never."""

    @property
    def open(self) -> bool:
        """Whether the finding stands, exempt or not."""
        return self.finding.status is not Status.RESOLVED

    @property
    def announced_deadline(self) -> datetime | None:
        """When the cluster terminates for this violation, UTC, as people were notified.

        None where they were notified of no deadline, or only that a fact could not be read.
        """
        if self.told is None or self.told.compliance is not Compliance.NON_COMPLIANT:
            return None
        return self.told.deadline

    def grace_ends(self, enforcement: Enforcement) -> datetime:
        """Say when the time is over that the policy gives people to put it right."""
        return self.opened_at + (
            enforcement.grace_at_launch if self.at_launch else enforcement.grace_running
        )

    def ongoing(self, now: datetime) -> bool:
        """Whether terminating the cluster now would prevent more of what it is about."""
        if self.finding.over:
            return False
        if self.kind is Kind.CLUSTER:
            return True
        return self.newest is not None and now - self.newest < STILL_WRITTEN

    def transient_and_young(self, now: datetime) -> bool:
        """Whether it rests on a transient fact that has not lasted long enough to be alerted."""
        return self.transient_since is not None and now - self.transient_since < TRANSIENT_QUIET

    def pending_for_long(self, now: datetime) -> bool:
        """Whether a notification has been pending for longer than it may take."""
        return self.pending_since is not None and now - self.pending_since >= OWED_LATE

    def claimed_by_another(self, owner: str, now: datetime) -> bool:
        """Whether somebody else is about to tell of it."""
        return self.claim is not None and self.claim.owner != owner and now < self.claim.until

    def released(self, owner: str, former: Claim | None = None) -> "Entry":
        """Give back what its owner took upon itself, to whoever had claimed it before."""
        mine = self.claim is not None and self.claim.owner == owner
        return replace(self, claim=former) if mine else self

    def decided_by(self, policy: Policy) -> "Entry":
        """Note under which policy it was decided; an older one than is noted changes nothing."""
        if policy.stored_at is None:
            return self
        stored_at = max(policy.stored_at, self.decided_under or policy.stored_at)
        return replace(self, decided_under=stored_at)


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a cluster itself."""

    cluster: Cluster
    """Its settings, which cannot change; state, protection and tags as they were."""
    launched_by: str | None = None
    keys: tuple[str, ...] = ()
    """The ARNs of the keys that its logs were ever seen to use."""
    log_key_worked: bool = False
    """Whether its log key was ever found usable."""
    evaluated: bool = False
    """Whether the cluster rules were ever evaluated for it: being known is not enough."""
    expires: datetime | None = None
    """When it may be forgotten: some time after its end."""
    version: int = 0
    """How often it was written; 0 is never."""

    def merged_into(self, known: "Known | None") -> "Known":
        """Add what is known now to what was known before; nothing that was learnt is lost."""
        if known is None:
            return self
        return replace(
            self,
            launched_by=self.launched_by or known.launched_by,
            keys=tuple(dict.fromkeys((*known.keys, *self.keys))),
            log_key_worked=self.log_key_worked or known.log_key_worked,
            evaluated=self.evaluated or known.evaluated,
            expires=known.expires or self.expires,
            version=known.version,
        )

    def says_more_than(self, known: "Known | None") -> bool:
        """Whether there is something here to be remembered, or anew; a state is not."""
        if known is None:
            return True
        cluster, before = self.cluster, known.cluster
        as_before = replace(
            before, state=cluster.state, termination_protected=cluster.termination_protected
        )
        return self != replace(known, cluster=as_before)


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is remembered of a cluster."""

    entries: Mapping[str, Entry]
    """By rule id."""
    known: Known | None = None
    termination: Termination | None = None

    def decided_under_newer(self, policy: Policy) -> bool:
        """Whether a policy that was stored later than this one has decided about the cluster."""
        stored_at = policy.stored_at
        return stored_at is not None and any(
            entry.decided_under is not None and entry.decided_under > stored_at
            for entry in self.entries.values()
        )


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule's result, to be entered into the ledger."""

    finding: Finding
    """Whatever its compliance."""
    kind: Kind
    at: datetime
    """When its facts were read, UTC."""
    at_launch: bool = False
    """Whether the cluster was not running yet."""
    bad: tuple[ObjectVersion, ...] = ()
    """The log objects that it is about."""
    newest: datetime | None = None
    """When the newest of them was written, UTC; None where that is not known."""
    cleared: frozenset[ObjectVersion] = frozenset()
    """Log objects that were looked at again, and are good or gone."""
    extent: Extent = Extent.MORE


def settled(
    finding: Finding, since: datetime | None, now: datetime, enforcement: Enforcement
) -> Finding:
    """Take a transient fact for what it is once it has lasted.

    Args:
        finding: The finding as it was just evaluated.
        since: Since when it has rested on a transient fact without a break; None if it did not.
        now: When it was evaluated, UTC.
        enforcement: What the policy says about enforcement.

    """
    if finding.once_lasting is None or since is None or now - since < enforcement.transient:
        return finding
    return replace(finding, compliance=finding.once_lasting)


def enter(
    entry: Entry | None, seen: RuleResult, enforcement: Enforcement = _DEFAULTS
) -> Entry | None:
    """Enter a result into what is remembered of its finding.

    Args:
        entry: What is remembered; None when there is nothing.
        seen: The result.
        enforcement: What the policy says about enforcement: when a transient fact has lasted.

    Returns:
        What stands now; None when there is still nothing to remember. Whether that is worth
        writing down is for `worth_writing` to say.

    """
    entered = _entered(entry, seen, enforcement)
    if entered is None or seen.newest is None or not entered.open or not seen.bad:
        return entered
    newest = max(seen.newest, entered.newest or seen.newest)
    return entered if newest == entered.newest else replace(entered, newest=newest)


def _entered(entry: Entry | None, seen: RuleResult, enforcement: Enforcement) -> Entry | None:
    since = _transient_since(entry, seen)
    found = settled(seen.finding, since, seen.at, enforcement)
    seen = replace(seen, finding=found)
    if not found.needs_attention:
        return entry and _cleared(entry, seen)
    entered = _attention(entry, seen)
    if entered is entry or entered.judged_at > seen.at:
        return entered
    proven = entered.finding.compliance is Compliance.NON_COMPLIANT
    if entry is not None and entry.open and entry.finding.over and not entered.finding.over:
        # Only now is there something to prevent: grace begins with that.
        entered = replace(entered, opened_at=seen.at, at_launch=seen.at_launch)
    if entry is not None and entry.open and proven:
        if entry.finding.compliance is not Compliance.NON_COMPLIANT:  # grace begins with the proof
            entered = replace(entered, opened_at=seen.at, at_launch=seen.at_launch)
        elif entry.transient_since is None:
            return entered  # what was proven without it does not become transient
    known = entry is not None and entry.open and entry.transient_violation
    violation = since is not None and (
        known or seen.finding.once_lasting is Compliance.NON_COMPLIANT
    )
    return replace(entered, transient_since=since, transient_violation=violation)


def _transient_since(entry: Entry | None, seen: RuleResult) -> datetime | None:
    """Say since when a finding has rested on a transient fact without a break.

    A violation lasts from when it was first read, however long it could not be read before.
    """
    if seen.finding.once_lasting is None:
        return None
    known = entry.transient_since if entry is not None and entry.open else None
    if entry is None or known is None:
        return seen.at
    begins = seen.finding.once_lasting is Compliance.NON_COMPLIANT and not entry.transient_violation
    return seen.at if begins else known


def _attention(entry: Entry | None, seen: RuleResult) -> Entry:
    """Enter what needs attention."""
    found = seen.finding
    if entry is None:
        return Entry(
            finding=replace(found, status=Status.OPEN),
            kind=seen.kind,
            opened_at=seen.at,
            at_launch=seen.at_launch,
            judged_at=seen.at,
            objects=seen.bad[:OBJECTS],
        )
    if not entry.open:
        return _reopened(entry, seen)
    if seen.kind is Kind.LOG_OBJECTS:
        return _added(entry, seen)
    return _seen_again(entry, seen)


def transition(before: Entry | None, after: Entry | None) -> Transition | None:
    """Name what a result made of a finding; None when there is none, or it stays resolved."""
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


def switched_off(entry: Entry, now: datetime) -> Entry:
    """Resolve a finding of a rule that the policy no longer enables."""
    finding = replace(entry.finding, status=Status.RESOLVED, deadline=None)
    return replace(entry, finding=finding, judged_at=now, expires=now + RETENTION)


def worth_writing(before: Entry | None, after: Entry) -> bool:
    """Say whether more changed than that it was seen once more, shortly after the last time."""
    if (
        before is None
        or after.kind is Kind.LOG_OBJECTS
        or after.judged_at >= before.judged_at + QUIET
    ):
        return before != after
    seen, known = after.finding, before.finding
    only_seen_again = replace(
        before,
        finding=replace(
            known,
            summary=seen.summary,
            evidence=seen.evidence,
            last_seen=seen.last_seen,
            occurrences=seen.occurrences,
        ),
        judged_at=after.judged_at,
    )
    return after != only_seen_again


def _cleared(entry: Entry, seen: RuleResult) -> Entry:
    if not entry.open:
        return entry
    if entry.kind is Kind.LOG_OBJECTS:
        return _without(entry, seen)
    if seen.at <= entry.judged_at + SKEW:
        return entry
    return _resolved(replace(entry, expires=seen.at + RETENTION), seen.at)


def _without(entry: Entry, seen: RuleResult) -> Entry:
    """Take objects out that are good or gone; when none is left, the finding is resolved."""
    if _all_there_are(entry, seen):
        return _resolved(replace(entry, objects=(), expires=seen.at + RETENTION), seen.at)
    left = tuple(each for each in entry.objects if each not in seen.cleared)
    if left == entry.objects:
        return entry
    fewer = entry.finding.occurrences - (len(entry.objects) - len(left))
    if not left and fewer <= 0:
        return _resolved(replace(entry, objects=(), expires=seen.at + RETENTION), seen.at)
    return replace(entry, objects=left, finding=replace(entry.finding, occurrences=fewer))


def _resolved(entry: Entry, at: datetime) -> Entry:
    return replace(
        entry,
        finding=replace(entry.finding, status=Status.RESOLVED, deadline=None),
        judged_at=max(entry.judged_at, at),
    )


def _reopened(entry: Entry, seen: RuleResult) -> Entry:
    if (entry.final and entry.kind is Kind.CLUSTER) or seen.at < entry.judged_at - SKEW:
        return entry
    return replace(
        entry,
        finding=_sighted(entry.finding, seen.finding, entry.finding.occurrences + 1),
        opened_at=seen.at,
        at_launch=seen.at_launch,
        judged_at=max(entry.judged_at, seen.at),
        objects=seen.bad[:OBJECTS],
        newest=seen.newest,
        # Whoever claimed to tell that it is resolved may have told before it died.
        told=None if entry.claim else entry.told,
        expires=entry.expires if entry.final else None,
    )


def _seen_again(entry: Entry, seen: RuleResult) -> Entry:
    proven = entry.finding.compliance is not Compliance.NON_COMPLIANT and (
        seen.finding.compliance is Compliance.NON_COMPLIANT
    )
    if not proven and seen.at < entry.judged_at - SKEW:
        return entry
    return replace(
        entry,
        finding=_sighted(entry.finding, seen.finding, entry.finding.occurrences + 1),
        judged_at=max(entry.judged_at, seen.at),
    )


def _added(entry: Entry, seen: RuleResult) -> Entry:
    """Add a batch of objects; those in doubt add nothing to those that are proven bad."""
    if seen.extent is not Extent.MORE:
        return _recounted(entry, seen)
    found, known = seen.finding, entry.finding
    objects = tuple(each for each in entry.objects if each not in seen.cleared)
    count = known.occurrences - (len(entry.objects) - len(objects))
    evidence = known.evidence
    if found.compliance is known.compliance:
        again = sum(each in objects for each in seen.bad)
        if again == found.occurrences and len(objects) == len(entry.objects):
            return entry
        objects = tuple(dict.fromkeys((*objects, *seen.bad)))[:OBJECTS]
        count += found.occurrences - again
        evidence = _samples(known, found)
    elif found.compliance is Compliance.NON_COMPLIANT:
        objects, count, evidence = seen.bad[:OBJECTS], found.occurrences, found.evidence
    elif len(objects) == len(entry.objects):
        return entry
    finding = replace(_sighted(known, found, count), evidence=evidence)
    return _with_objects(entry, seen, finding, objects)


def _recounted(entry: Entry, seen: RuleResult) -> Entry:
    """Count objects of which some were counted before, or all that there are."""
    found, known = seen.finding, entry.finding
    same = found.compliance is known.compliance
    if not same and found.compliance is not Compliance.NON_COMPLIANT:
        return entry
    if same and not _all_there_are(entry, seen):
        count = max(known.occurrences, found.occurrences)
        objects = tuple(dict.fromkeys((*entry.objects, *seen.bad)))[:OBJECTS]
        evidence = _samples(known, found)
    else:
        count, objects, evidence = found.occurrences, seen.bad[:OBJECTS], found.evidence
    finding = replace(_sighted(known, found, count), evidence=evidence)
    return _with_objects(entry, seen, finding, objects)


def _with_objects(
    entry: Entry, seen: RuleResult, finding: Finding, objects: tuple[ObjectVersion, ...]
) -> Entry:
    return replace(
        entry,
        finding=finding,
        objects=objects,
        expires=seen.at + RETENTION if entry.final else None,
        judged_at=max(entry.judged_at, seen.at),
    )


def _all_there_are(entry: Entry, seen: RuleResult) -> bool:
    """Say whether a result speaks for all objects: nothing was entered since they were read."""
    return seen.extent is Extent.ALL and entry.judged_at <= seen.at


def _sighted(known: Finding, found: Finding, occurrences: int) -> Finding:
    """See a finding again: not knowing does not replace what was proven, or who launched it."""
    doubt = (
        known.status is not Status.RESOLVED
        and known.compliance is Compliance.NON_COMPLIANT
        and found.compliance is Compliance.INSUFFICIENT_DATA
    )
    return replace(
        known if doubt else found,
        launched_by=found.launched_by or known.launched_by,
        status=Status.OPEN,
        first_seen=min(known.first_seen, found.first_seen),
        last_seen=max(known.last_seen, found.last_seen),
        occurrences=occurrences,
    )


def _samples(known: Finding, found: Finding) -> Evidence:
    samples = (known.evidence.get("samples"), found.evidence.get("samples"))
    named = [name for each in samples if isinstance(each, tuple) for name in each]
    return {**known.evidence, "samples": tuple(dict.fromkeys(named))[:SAMPLES]}
