"""What the ledger remembers of a finding, and what a new result makes of it.

Why so, and what follows: docs/adr/0010-the-ledger.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Evidence, Finding, Status
from emr_log_guard.domain.keys import named_arn
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.policy import Enforcement, Policy
from emr_log_guard.domain.termination import Termination

SKEW = timedelta(seconds=3)
"""Results closer than this may have come in either order: the fault stands."""
QUIET = timedelta(minutes=5)
"""A repeat so soon after the last result that was written down is not written down."""
LEASE = timedelta(seconds=150)
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
class LastNotified:
    """What people were last told of an open finding."""

    at: datetime
    compliance: Compliance
    deadline: datetime | None = None
    """When the cluster would be terminated; a schedule stands for it, if it was to come."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who is about to tell, and until when nobody else does."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRecord:
    """A finding as the ledger remembers it."""

    finding: Finding
    kind: Kind
    opened_at: datetime
    """Since when it stands without a break, UTC: grace is counted from here."""
    at_launch: bool = False
    """Whether the cluster was not running yet when it opened."""
    evaluated_at: datetime
    """When the facts of the newest result that was written down were read, UTC."""
    objects: tuple[ObjectVersion, ...] = ()
    """Bad log objects, as many as are remembered; there are more if `occurrences` says so."""
    newest: datetime | None = None
    """When the newest of the bad log objects was written, UTC; None where that is not known."""
    last_notified: LastNotified | None = None
    """None while nobody knows that it is open, or once they know that it is resolved."""
    lease: Lease | None = None
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
    ever_notified: bool = False
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
        if (
            self.last_notified is None
            or self.last_notified.compliance is not Compliance.NON_COMPLIANT
        ):
            return None
        return self.last_notified.deadline

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

    def leased_by_another(self, owner: str, now: datetime) -> bool:
        """Whether somebody else is about to tell of it."""
        return self.lease is not None and self.lease.owner != owner and now < self.lease.until

    def released(self, owner: str, former: Lease | None = None) -> "FindingRecord":
        """Give back what its owner took upon itself, to whoever had claimed it before."""
        mine = self.lease is not None and self.lease.owner == owner
        return replace(self, lease=former) if mine else self

    def decided_by(self, policy: Policy) -> "FindingRecord":
        """Note under which policy it was decided; an older one than is noted changes nothing."""
        if policy.stored_at is None:
            return self
        stored_at = max(policy.stored_at, self.decided_under or policy.stored_at)
        return replace(self, decided_under=stored_at)


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
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

    def merged_into(self, known: "ClusterSnapshot | None") -> "ClusterSnapshot":
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

    def says_more_than(self, known: "ClusterSnapshot | None") -> bool:
        """Whether there is something here to be remembered, or anew; a state is not."""
        if known is None:
            return True
        cluster, before = self.cluster, known.cluster
        as_before = replace(
            before, state=cluster.state, termination_protected=cluster.termination_protected
        )
        return self != replace(known, cluster=as_before)


@dataclass(frozen=True, slots=True)
class ClusterHistory:
    """All that is remembered of a cluster."""

    records: Mapping[str, FindingRecord]
    """By rule id."""
    known: ClusterSnapshot | None = None
    termination: Termination | None = None

    def decided_under_newer(self, policy: Policy) -> bool:
        """Whether a policy that was stored later than this one has decided about the cluster."""
        stored_at = policy.stored_at
        return stored_at is not None and any(
            record.decided_under is not None and record.decided_under > stored_at
            for record in self.records.values()
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
    record: FindingRecord | None, seen: RuleResult, enforcement: Enforcement = _DEFAULTS
) -> FindingRecord | None:
    """Enter a result into what is remembered of its finding.

    Args:
        record: What is remembered; None when there is nothing.
        seen: The result.
        enforcement: What the policy says about enforcement: when a transient fact has lasted.

    Returns:
        What stands now; None when there is still nothing to remember. Whether that is worth
        writing down is for `worth_writing` to say.

    """
    entered = _entered(record, seen, enforcement)
    if entered is None or seen.newest is None or not entered.open or not seen.bad:
        return entered
    newest = max(seen.newest, entered.newest or seen.newest)
    return entered if newest == entered.newest else replace(entered, newest=newest)


def _entered(
    record: FindingRecord | None, seen: RuleResult, enforcement: Enforcement
) -> FindingRecord | None:
    since = _transient_since(record, seen)
    found = settled(seen.finding, since, seen.at, enforcement)
    seen = replace(seen, finding=found)
    if not found.needs_attention:
        return record and _cleared(record, seen)
    entered = _attention(record, seen)
    if entered is record or entered.evaluated_at > seen.at:
        return entered
    proven = entered.finding.compliance is Compliance.NON_COMPLIANT
    if record is not None and record.open and record.finding.over and not entered.finding.over:
        # Only now is there something to prevent: grace begins with that.
        entered = replace(entered, opened_at=seen.at, at_launch=seen.at_launch)
    if record is not None and record.open and proven:
        if record.finding.compliance is not Compliance.NON_COMPLIANT:  # grace begins with the proof
            entered = replace(entered, opened_at=seen.at, at_launch=seen.at_launch)
        elif record.transient_since is None:
            return entered  # what was proven without it does not become transient
    known = record is not None and record.open and record.transient_violation
    violation = since is not None and (
        known or seen.finding.once_lasting is Compliance.NON_COMPLIANT
    )
    return replace(entered, transient_since=since, transient_violation=violation)


def _transient_since(record: FindingRecord | None, seen: RuleResult) -> datetime | None:
    """Say since when a finding has rested on a transient fact without a break.

    A violation lasts from when it was first read, however long it could not be read before.
    """
    if seen.finding.once_lasting is None:
        return None
    known = record.transient_since if record is not None and record.open else None
    if record is None or known is None:
        return seen.at
    begins = (
        seen.finding.once_lasting is Compliance.NON_COMPLIANT and not record.transient_violation
    )
    return seen.at if begins else known


def _attention(record: FindingRecord | None, seen: RuleResult) -> FindingRecord:
    """Enter what needs attention."""
    found = seen.finding
    if record is None:
        return FindingRecord(
            finding=replace(found, status=Status.OPEN),
            kind=seen.kind,
            opened_at=seen.at,
            at_launch=seen.at_launch,
            evaluated_at=seen.at,
            objects=seen.bad[:OBJECTS],
        )
    if not record.open:
        return _reopened(record, seen)
    if seen.kind is Kind.LOG_OBJECTS:
        return _added(record, seen)
    return _seen_again(record, seen)


def transition(before: FindingRecord | None, after: FindingRecord | None) -> Transition | None:
    """Name what a result made of a finding; None when there is none, or it stays resolved."""
    was, now = before is not None and before.open, after is not None and after.open
    if now:
        if was:
            return Transition.STILL_OPEN
        return Transition.OPENED if before is None else Transition.REOPENED
    return Transition.RESOLVED if was else None


def ended(record: FindingRecord, now: datetime) -> FindingRecord:
    """Enter a cluster's end: in whatever order it is heard of, there is no way back from it."""
    if record.final:
        return record
    final = replace(record, final=True, expires=now + RETENTION)
    return final if record.kind is Kind.LOG_OBJECTS or not record.open else _resolved(final, now)


def switched_off(record: FindingRecord, now: datetime) -> FindingRecord:
    """Resolve a finding of a rule that the policy no longer enables."""
    finding = replace(record.finding, status=Status.RESOLVED, deadline=None)
    return replace(record, finding=finding, evaluated_at=now, expires=now + RETENTION)


def worth_writing(before: FindingRecord | None, after: FindingRecord) -> bool:
    """Say whether more changed than that it was seen once more, shortly after the last time."""
    if (
        before is None
        or after.kind is Kind.LOG_OBJECTS
        or after.evaluated_at >= before.evaluated_at + QUIET
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
        evaluated_at=after.evaluated_at,
    )
    return after != only_seen_again


def _cleared(record: FindingRecord, seen: RuleResult) -> FindingRecord:
    if not record.open:
        return record
    if record.kind is Kind.LOG_OBJECTS:
        return _without(record, seen)
    if seen.at <= record.evaluated_at + SKEW:
        return record
    return _resolved(replace(record, expires=seen.at + RETENTION), seen.at)


def _without(record: FindingRecord, seen: RuleResult) -> FindingRecord:
    """Take objects out that are good or gone; when none is left, the finding is resolved."""
    if _all_there_are(record, seen):
        return _resolved(replace(record, objects=(), expires=seen.at + RETENTION), seen.at)
    left = tuple(each for each in record.objects if each not in seen.cleared)
    if left == record.objects:
        return record
    fewer = record.finding.occurrences - (len(record.objects) - len(left))
    if not left and fewer <= 0:
        return _resolved(replace(record, objects=(), expires=seen.at + RETENTION), seen.at)
    return replace(record, objects=left, finding=replace(record.finding, occurrences=fewer))


def _resolved(record: FindingRecord, at: datetime) -> FindingRecord:
    return replace(
        record,
        finding=replace(record.finding, status=Status.RESOLVED, deadline=None),
        evaluated_at=max(record.evaluated_at, at),
    )


def _reopened(record: FindingRecord, seen: RuleResult) -> FindingRecord:
    if (record.final and record.kind is Kind.CLUSTER) or seen.at < record.evaluated_at - SKEW:
        return record
    return replace(
        record,
        finding=_sighted(record.finding, seen.finding, record.finding.occurrences + 1),
        opened_at=seen.at,
        at_launch=seen.at_launch,
        evaluated_at=max(record.evaluated_at, seen.at),
        objects=seen.bad[:OBJECTS],
        newest=seen.newest,
        # Whoever claimed to tell that it is resolved may have told before it died.
        last_notified=None if record.lease else record.last_notified,
        expires=record.expires if record.final else None,
    )


def _seen_again(record: FindingRecord, seen: RuleResult) -> FindingRecord:
    proven = record.finding.compliance is not Compliance.NON_COMPLIANT and (
        seen.finding.compliance is Compliance.NON_COMPLIANT
    )
    if not proven and seen.at < record.evaluated_at - SKEW:
        return record
    return replace(
        record,
        finding=_sighted(record.finding, seen.finding, record.finding.occurrences + 1),
        evaluated_at=max(record.evaluated_at, seen.at),
    )


def _added(record: FindingRecord, seen: RuleResult) -> FindingRecord:
    """Add a batch of objects; those in doubt add nothing to those that are proven bad."""
    if seen.extent is not Extent.MORE:
        return _recounted(record, seen)
    found, known = seen.finding, record.finding
    objects = tuple(each for each in record.objects if each not in seen.cleared)
    count = known.occurrences - (len(record.objects) - len(objects))
    evidence = known.evidence
    if found.compliance is known.compliance:
        again = sum(each in objects for each in seen.bad)
        if again == found.occurrences and len(objects) == len(record.objects):
            return record
        objects = tuple(dict.fromkeys((*objects, *seen.bad)))[:OBJECTS]
        count += found.occurrences - again
        evidence = _samples(known, found)
    elif found.compliance is Compliance.NON_COMPLIANT:
        objects, count, evidence = seen.bad[:OBJECTS], found.occurrences, found.evidence
    elif len(objects) == len(record.objects):
        return record
    finding = replace(_sighted(known, found, count), evidence=evidence)
    return _with_objects(record, seen, finding, objects)


def _recounted(record: FindingRecord, seen: RuleResult) -> FindingRecord:
    """Count objects of which some were counted before, or all that there are."""
    found, known = seen.finding, record.finding
    same = found.compliance is known.compliance
    if not same and found.compliance is not Compliance.NON_COMPLIANT:
        return record
    if same and not _all_there_are(record, seen):
        count = max(known.occurrences, found.occurrences)
        objects = tuple(dict.fromkeys((*record.objects, *seen.bad)))[:OBJECTS]
        evidence = _samples(known, found)
    else:
        count, objects, evidence = found.occurrences, seen.bad[:OBJECTS], found.evidence
    finding = replace(_sighted(known, found, count), evidence=evidence)
    return _with_objects(record, seen, finding, objects)


def _with_objects(
    record: FindingRecord, seen: RuleResult, finding: Finding, objects: tuple[ObjectVersion, ...]
) -> FindingRecord:
    return replace(
        record,
        finding=finding,
        objects=objects,
        expires=seen.at + RETENTION if record.final else None,
        evaluated_at=max(record.evaluated_at, seen.at),
    )


def _all_there_are(record: FindingRecord, seen: RuleResult) -> bool:
    """Say whether a result speaks for all objects: nothing was entered since they were read."""
    return seen.extent is Extent.ALL and record.evaluated_at <= seen.at


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


def key_names(known: ClusterSnapshot) -> tuple[str, ...]:
    """Name the ARNs of the keys that a cluster's logs use, and what it was launched with.

    The latter may be an alias, which can be pointed at another key, or a key that did not exist
    when the cluster was checked.
    """
    cluster = known.cluster
    here = Arn.of(cluster.arn)
    typed = (cluster.log_key_identifier, cluster.cloudwatch_key_identifier)
    return tuple(dict.fromkeys((*known.keys, *(named_arn(each, here) for each in typed if each))))
