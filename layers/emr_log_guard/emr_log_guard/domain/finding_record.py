"""The stored record of a finding, and how a new result changes it.

The reasons: docs/adr/0010-findings-table.md
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster, Step, later_state
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Evidence, Finding, Status
from emr_log_guard.domain.keys import named_arn
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.policy import Enforcement, Policy
from emr_log_guard.domain.reencrypted import Reencrypted, evidence, finish, with_failures
from emr_log_guard.domain.termination import Termination

SKEW = timedelta(seconds=3)
"""Results closer than this may be in either order: the violation is kept."""
QUIET = timedelta(minutes=5)
"""A repeated result this soon after the last recorded one is not recorded."""
LEASE = timedelta(seconds=150)
"""The de-duplication window: how long the lease on an alert is valid.

Longer than the timeout of any function that events invoke, and shorter than messages are retried
(half an hour). A re-scan may run longer; it alerts for each cluster right after taking the lease.
"""
FIRST_READ = timedelta(seconds=15)
"""How long an invocation may take for the first read of a cluster before another one reads it,
too."""
RETENTION = timedelta(days=90)
"""How long resolved findings, and the records of terminated clusters, are kept."""
STILL_WRITTEN = timedelta(hours=1)
"""How recent a bad log object must be for termination to prevent another one: EMR archives logs
every five minutes.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
"""
TRANSIENT_QUIET = timedelta(minutes=5)
"""How long a transient violation has to last before it alerts: a key may be younger than its
cluster."""
UNREAD_QUIET = timedelta(minutes=30)
"""How long a fact that AWS cannot give for now, such as one that it throttles, is read again before
it alerts as INSUFFICIENT_DATA."""
REMEDIED = timedelta(minutes=10)
"""How long bad log objects may be open before they alert where they are re-encrypted."""
PROVEN = timedelta(hours=24)
"""How long a re-encrypted log shows that others are, too: re-scans find what events missed."""
PENDING_LATE = timedelta(minutes=5)
"""How long a notification may be pending before it counts as late."""
_DEFAULTS = Enforcement()
SAMPLES = 5
"""How many objects, or clusters, a finding's evidence names, over all checks."""
STEPS = 500
"""How many steps with log settings of their own are stored of a cluster: an item of the table has
400 KB at most."""
OTHER_STEPS = 2_000
"""The ids of how many other steps are stored: those of which events may still wait in the queue."""
OBJECTS = 10
"""How many bad log objects are recorded, to be re-checked one by one."""


class Kind(StrEnum):
    """What a finding is about, which determines what resolves it."""

    CLUSTER = "cluster"
    """Resolved by a later result, or by the cluster's termination."""
    LOG_OBJECTS = "log_objects"
    """Resolved when each bad object is compliant or deleted, even after the cluster terminated."""
    LOG_BUCKET = "log_bucket"
    """Resolved by a later result, even after every cluster that logs there has terminated."""


class Extent(StrEnum):
    """How the log objects of a result relate to those counted before."""

    MORE = "more"
    """Additional objects: they were just created."""
    AGAIN = "again"
    """Some or all may have been counted before."""
    ALL = "all"
    """All objects of the cluster, unless others were recorded since they were read."""


class Transition(StrEnum):
    """How a result changed a finding."""

    OPENED = "opened"
    STILL_OPEN = "still_open"
    RESOLVED = "resolved"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class LastNotified:
    """The last accepted notification of an open finding."""

    at: datetime
    compliance: Compliance
    deadline: datetime | None = None
    """When the cluster would be terminated; there is a schedule if that was in the future."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The invocation that is about to notify, and until when no other may."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRecord:
    """A finding as it is stored."""

    finding: Finding
    kind: Kind
    opened_at: datetime
    """Since when it is open without interruption, UTC: the grace period starts here."""
    at_launch: bool = False
    """Whether the cluster was not running yet when it opened."""
    evaluated_at: datetime
    """When the facts of the newest recorded result were read, UTC."""
    objects: tuple[ObjectVersion, ...] = ()
    """Bad log objects, at most OBJECTS; `occurrences` counts them all."""
    newest: datetime | None = None
    """When the newest of the bad log objects was written, UTC; None when unknown."""
    last_notified: LastNotified | None = None
    """None before the first notification, and after that of its resolution."""
    lease: Lease | None = None
    transient_since: datetime | None = None
    """Since when it is based on a transient fact, UTC; None when it is not."""
    transient_violation: bool = False
    """Whether that fact was ever read as a violation: an unread fact confirms nothing."""
    pending_since: datetime | None = None
    """Since when a notification of it is pending, UTC; None when there is none."""
    alert_due: datetime | None = None
    """When an alert is due that waits for re-encryption, UTC; None when none does."""
    decided_under: datetime | None = None
    """When the policy of the last decision was stored, UTC: an older policy never overrides it."""
    notifications: int = 0
    """How many notifications of it were accepted: part of the id of the next one."""
    ever_notified: bool = False
    """Whether it was ever notified: if so, the next notification says reopened."""
    end_notified: bool = False
    """Whether the termination of the cluster because of it was notified."""
    final: bool = False
    """Whether the cluster terminated: its cluster findings never open again."""
    reencryption: Reencrypted = field(default_factory=Reencrypted)
    """What was re-encrypted of its log objects."""
    expires: datetime | None = None
    """When it expires, UTC."""
    version: int = 0
    """How often it was written; 0 is never."""

    @property
    def open(self) -> bool:
        """Whether the finding is open, exempt or not."""
        return self.finding.status is not Status.RESOLVED

    @property
    def announced_deadline(self) -> datetime | None:
        """The notified deadline of termination for this violation, UTC.

        None if no deadline was notified, or only an undetermined fact.
        """
        if (
            self.last_notified is None
            or self.last_notified.compliance is not Compliance.NON_COMPLIANT
        ):
            return None
        return self.last_notified.deadline

    def grace_ends(self, enforcement: Enforcement) -> datetime:
        """Return the end of the grace period that the policy gives for remediation."""
        return self.opened_at + (
            enforcement.grace_at_launch if self.at_launch else enforcement.grace_running
        )

    def ongoing(self, now: datetime) -> bool:
        """Whether terminating the cluster now would prevent more violations."""
        if self.finding.over:
            return False
        if self.kind is Kind.CLUSTER:
            return True
        return self.newest is not None and now - self.newest < STILL_WRITTEN

    def transient_and_young(self, now: datetime) -> bool:
        """Whether it is based on a transient fact that has not lasted long enough to alert."""
        quiet = TRANSIENT_QUIET if self.transient_violation else UNREAD_QUIET
        return self.transient_since is not None and now - self.transient_since < quiet

    def being_reencrypted(self, policy: Policy, now: datetime) -> bool:
        """Whether its log objects are about to be re-encrypted, as far as is known."""
        return (
            self.kind is Kind.LOG_OBJECTS
            and self.finding.compliance is Compliance.NON_COMPLIANT
            and policy.reencrypts(self.finding.rule_id)
            and now - self.opened_at < REMEDIED
            and not any(each.at >= self.opened_at for each in self.reencryption.failures.values())
        )

    def done_due(self, remind_every: timedelta) -> datetime | None:
        """Return when it is to be notified how many objects were re-encrypted, UTC.

        Once none is left, or some are for long, and then with the reminders; but always together
        with the notification that the finding is resolved.

        Args:
            remind_every: Time from an alert to a reminder.

        Returns:
            The moment, which may have passed; None when all are notified.

        """
        state = self.reencryption
        if state.last is None or not state.unnotified:
            return None
        if not self.open and self.last_notified is not None:
            return state.last
        due = state.last if state.notified is None else state.notified + remind_every
        return max(due, self.opened_at + REMEDIED) if self.open else due

    def to_be_read_again(self, now: datetime) -> bool:
        """Whether AWS could not give the fact for now, and it may soon."""
        return self.open and not self.transient_violation and self.transient_and_young(now)

    def pending_for_long(self, now: datetime) -> bool:
        """Whether a notification is late."""
        return self.pending_since is not None and now - self.pending_since >= PENDING_LATE

    def leased_by_another(self, owner: str, now: datetime) -> bool:
        """Whether another invocation holds its lease."""
        return self.lease is not None and self.lease.owner != owner and now < self.lease.until

    def released(self, owner: str, former: Lease | None = None) -> "FindingRecord":
        """Release the lease of its owner, and restore the former one."""
        mine = self.lease is not None and self.lease.owner == owner
        return replace(self, lease=former) if mine else self

    def decided_by(self, policy: Policy) -> "FindingRecord":
        """Record the policy of a decision, unless a newer one is recorded."""
        if policy.stored_at is None:
            return self
        stored_at = max(policy.stored_at, self.decided_under or policy.stored_at)
        return replace(self, decided_under=stored_at)


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """The stored settings of a cluster."""

    cluster: Cluster
    """Its settings, which cannot change; state, protection and tags as last read."""
    launched_by: str | None = None
    keys: tuple[str, ...] = ()
    """The ARNs of all keys that its logs ever used."""
    log_key_worked: bool = False
    """Whether its log key was ever found usable."""
    evaluated: bool = False
    """Whether the cluster rules were ever evaluated for it."""
    steps_listed: bool = False
    """Whether its steps were listed once: with those of later events, all that matter are known."""
    steps: tuple[Step, ...] = ()
    """The steps with log settings of their own, as they were last read."""
    other_steps: tuple[str, ...] = ()
    """The ids of the latest other steps."""
    expires: datetime | None = None
    """When it expires, UTC: some time after its termination."""
    version: int = 0
    """How often it was written; 0 is never."""

    def merged_into(self, known: "ClusterSnapshot | None") -> "ClusterSnapshot":
        """Merge this snapshot into an older one, without losing what that one has."""
        if known is None:
            return self
        steps = {each.id: each for each in (*known.steps, *self.steps)}
        too_many = len(steps) > STEPS
        return replace(
            self,
            steps_listed=(self.steps_listed or known.steps_listed) and not too_many,
            steps=() if too_many else tuple(steps.values()),
            other_steps=tuple(dict.fromkeys((*known.other_steps, *self.other_steps)))[
                -OTHER_STEPS:
            ],
            launched_by=self.launched_by or known.launched_by,
            keys=tuple(dict.fromkeys((*known.keys, *self.keys))),
            log_key_worked=self.log_key_worked or known.log_key_worked,
            evaluated=self.evaluated or known.evaluated,
            expires=known.expires or self.expires,
            version=known.version,
        )

    @property
    def key_names(self) -> tuple[str, ...]:
        """The ARNs of the keys that its logs use, and what it was launched with.

        The latter may be an alias, which can be pointed at another key, or a key that did not exist
        when the cluster was checked.
        """
        here = Arn.of(self.cluster.arn)
        given = (self.cluster.log_key_identifier, self.cluster.cloudwatch_key_identifier)
        return tuple(
            dict.fromkeys((*self.keys, *(named_arn(each, here) for each in given if each)))
        )

    def cluster_at(self, state: str | None) -> Cluster:
        """Return the stored cluster, its state moved forward to an announced one."""
        return replace(self.cluster, state=later_state(self.cluster.state, state))

    def says_more_than(self, known: "ClusterSnapshot | None") -> bool:
        """Whether it has more than an older one; a changed state does not count."""
        if known is None:
            return True
        cluster, before = self.cluster, known.cluster
        as_before = replace(
            before, state=cluster.state, termination_protected=cluster.termination_protected
        )
        return self != replace(known, cluster=as_before)


@dataclass(frozen=True, slots=True)
class ClusterHistory:
    """All stored records of a cluster."""

    records: Mapping[str, FindingRecord]
    """By rule id."""
    known: ClusterSnapshot | None = None
    termination: Termination | None = None

    def decided_under_newer(self, policy: Policy) -> bool:
        """Whether a decision about the cluster was made under a newer policy than this one."""
        stored_at = policy.stored_at
        return stored_at is not None and any(
            record.decided_under is not None and record.decided_under > stored_at
            for record in self.records.values()
        )


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule's result, to be recorded."""

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
    """Log objects that were re-checked, and are compliant or deleted."""
    extent: Extent = Extent.MORE
    reencrypted_before: int | None = None
    """How many objects were re-encrypted when the first of these was read: those since then are not
    counted any more. None where none can have been."""
    reencryption: "ReencryptionResult | None" = None
    """The results of attempts to re-encrypt; None for a result of the rule."""


@dataclass(frozen=True, slots=True)
class ReencryptionResult:
    """The results of attempts to re-encrypt log objects that violate one rule."""

    done: Mapping[ObjectVersion, str]
    """The key of each object that was read with its new key, by object."""
    failed: Mapping[ObjectVersion, str | None]
    """Why others could not be re-encrypted, or None when that is temporary."""
    postponed: str | None = None
    """Why some of these have to wait; None when none has to."""
    unknown: frozenset[ObjectVersion] = frozenset()
    """Those of them that may be re-encrypted nonetheless: the answer was lost."""


def logs_reencrypted(records: Iterable[FindingRecord], policy: Policy, now: datetime) -> bool:
    """Whether all logs of a cluster are re-encrypted as they are written, by all that is recorded.

    Silence is no proof: an object was re-encrypted within a day, and no other is left for long.
    """
    about_objects = [each for each in records if each.kind is Kind.LOG_OBJECTS]
    proven = any(
        each.open or now - each.reencryption.last < PROVEN
        for each in about_objects
        if each.reencryption.last is not None
    )
    left = [each for each in about_objects if each.open]
    in_progress = all(each.being_reencrypted(policy, now) for each in left)
    return policy.reencryption.active and proven and in_progress


def settled(
    finding: Finding, since: datetime | None, now: datetime, enforcement: Enforcement
) -> Finding:
    """Confirm a transient result once it has lasted.

    Args:
        finding: The finding as it was just evaluated.
        since: Since when it is based on a transient fact; None if it was not.
        now: When it was evaluated, UTC.
        enforcement: The policy's enforcement settings.

    """
    if finding.once_lasting is None or since is None or now - since < enforcement.transient:
        return finding
    return replace(finding, compliance=finding.once_lasting)


def enter(
    record: FindingRecord | None, result: RuleResult, enforcement: Enforcement = _DEFAULTS
) -> FindingRecord | None:
    """Apply a result to the record of its finding.

    Args:
        record: The stored record; None when there is none.
        result: The result.
        enforcement: The policy's enforcement settings: how long a transient fact must last.

    Returns:
        The new record; None when there is still nothing to record. `worth_writing` decides whether
        it is written.

    """
    if result.reencryption is not None:
        return record and _after_reencryption(record, result.reencryption, result.at)
    entered = _with_evidence(_entered(record, result, enforcement))
    if entered is None or result.newest is None or not entered.open or not result.bad:
        return entered
    newest = max(result.newest, entered.newest or result.newest)
    return entered if newest == entered.newest else replace(entered, newest=newest)


def _entered(
    record: FindingRecord | None, result: RuleResult, enforcement: Enforcement
) -> FindingRecord | None:
    since = _transient_since(record, result)
    found = settled(result.finding, since, result.at, enforcement)
    result = replace(result, finding=found)
    if not found.needs_attention:
        return record and _cleared(record, result)
    left = _left(record, result)
    if left is None:
        return record
    result = left
    entered = _attention(record, result)
    if entered is record or entered.evaluated_at > result.at:
        return entered
    confirmed = entered.finding.compliance is Compliance.NON_COMPLIANT
    if record is not None and record.open and record.finding.over and not entered.finding.over:
        # Only now can termination prevent something: the grace period starts here.
        entered = replace(entered, opened_at=result.at, at_launch=result.at_launch)
    if record is not None and record.open and confirmed:
        if record.finding.compliance is not Compliance.NON_COMPLIANT:  # grace starts with it
            entered = replace(entered, opened_at=result.at, at_launch=result.at_launch)
        elif record.transient_since is None:
            return entered  # a confirmed violation does not become transient
    known = record is not None and record.open and record.transient_violation
    violation = since is not None and (
        known or result.finding.once_lasting is Compliance.NON_COMPLIANT
    )
    return replace(entered, transient_since=since, transient_violation=violation)


def _transient_since(record: FindingRecord | None, result: RuleResult) -> datetime | None:
    """Return since when a finding is based on a transient fact.

    A violation counts from when it was first read, not from when it could not be read.
    """
    if result.finding.once_lasting is None:
        return None
    known = record.transient_since if record is not None and record.open else None
    if record is None or known is None:
        return result.at
    begins = (
        result.finding.once_lasting is Compliance.NON_COMPLIANT and not record.transient_violation
    )
    return result.at if begins else known


def _left(record: FindingRecord | None, result: RuleResult) -> RuleResult | None:
    """Subtract the objects that were re-encrypted since they were read; None if none may be left.

    One too many may be subtracted, but none too few: `reencrypt` records again what it finds left.
    """
    if record is None or result.reencrypted_before is None:
        return result
    since = record.reencryption.count - result.reencrypted_before
    if since <= 0:
        return result
    left = result.finding.occurrences - since
    if left <= 0:
        return None
    # It is not known which are left.
    return replace(result, finding=replace(result.finding, occurrences=left), bad=())


def _attention(record: FindingRecord | None, result: RuleResult) -> FindingRecord:
    """Apply a result that needs attention."""
    found = result.finding
    if record is None:
        return FindingRecord(
            finding=replace(found, status=Status.OPEN),
            kind=result.kind,
            opened_at=result.at,
            at_launch=result.at_launch,
            evaluated_at=result.at,
            objects=result.bad[:OBJECTS],
        )
    if not record.open:
        return _reopened(record, result)
    if result.kind is Kind.LOG_OBJECTS:
        return _added(record, result)
    return _repeated(record, result)


def transition(before: FindingRecord | None, after: FindingRecord | None) -> Transition | None:
    """Return how a result changed a finding; None when there is none, or it stays resolved."""
    was, now = before is not None and before.open, after is not None and after.open
    if now:
        if was:
            return Transition.STILL_OPEN
        return Transition.OPENED if before is None else Transition.REOPENED
    return Transition.RESOLVED if was else None


def cluster_terminated(record: FindingRecord, now: datetime) -> FindingRecord:
    """Record the cluster's termination, which is final in any order of events."""
    if record.final:
        return record
    final = replace(record, final=True, expires=now + RETENTION)
    return final if record.kind is Kind.LOG_OBJECTS or not record.open else _resolved(final, now)


def rule_disabled(record: FindingRecord, now: datetime) -> FindingRecord:
    """Resolve the finding of a rule that the policy disables."""
    finding = replace(record.finding, status=Status.RESOLVED, deadline=None)
    return replace(record, finding=finding, evaluated_at=now, expires=now + RETENTION)


def worth_writing(before: FindingRecord | None, after: FindingRecord) -> bool:
    """Whether more changed than a repetition shortly after the last result."""
    if (
        before is None
        or after.kind is Kind.LOG_OBJECTS
        or after.evaluated_at >= before.evaluated_at + QUIET
    ):
        return before != after
    seen, known = after.finding, before.finding
    only_repeated = replace(
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
    return after != only_repeated


def _cleared(record: FindingRecord, result: RuleResult) -> FindingRecord:
    if not record.open:
        return record
    if record.kind is Kind.LOG_OBJECTS:
        return _without(record, result)
    if result.at <= record.evaluated_at + SKEW:
        return record
    return _resolved(replace(record, expires=result.at + RETENTION), result.at)


def _without(record: FindingRecord, result: RuleResult) -> FindingRecord:
    """Remove objects that are compliant or deleted; without any left, the finding is resolved."""
    if _is_complete(record, result):
        return _resolved(replace(record, objects=(), expires=result.at + RETENTION), result.at)
    left = tuple(each for each in record.objects if each not in result.cleared)
    if left == record.objects:
        return record
    fewer = record.finding.occurrences - (len(record.objects) - len(left))
    if not left and fewer <= 0:
        return _resolved(replace(record, objects=(), expires=result.at + RETENTION), result.at)
    return replace(record, objects=left, finding=replace(record.finding, occurrences=fewer))


def _after_reencryption(
    record: FindingRecord, result: ReencryptionResult, at: datetime
) -> FindingRecord:
    """Record what was re-encrypted; without any object left, the finding is resolved."""
    state, counted = finish(record.reencryption, result.done, result.failed, at, result.unknown)
    if result.postponed:
        state = with_failures(state, (result.postponed,), at)
    found = record.finding
    left = tuple(each for each in record.objects if each not in result.done)
    fewer = max(found.occurrences - len(counted), len(left))
    record = replace(record, reencryption=state)
    if record.open and fewer == 0:
        record = _resolved(replace(record, objects=(), expires=at + RETENTION), at)
    elif record.open:
        record = replace(record, objects=left, finding=replace(found, occurrences=fewer))
    return _with_evidence(record)


def _with_evidence[R: FindingRecord | None](record: R) -> R:
    """Say in the finding what was re-encrypted."""
    if record is None or not record.reencryption.count:
        return record
    said = {**record.finding.evidence, **evidence(record.reencryption)}
    if said == record.finding.evidence:
        return record
    return replace(record, finding=replace(record.finding, evidence=said))


def _resolved(record: FindingRecord, at: datetime) -> FindingRecord:
    return replace(
        record,
        finding=replace(record.finding, status=Status.RESOLVED, deadline=None),
        evaluated_at=max(record.evaluated_at, at),
    )


def _reopened(record: FindingRecord, result: RuleResult) -> FindingRecord:
    if (record.final and record.kind is Kind.CLUSTER) or result.at < record.evaluated_at - SKEW:
        return record
    # The log objects of before are all remediated: only those of this result are counted.
    of_logs = record.kind is Kind.LOG_OBJECTS
    count = result.finding.occurrences if of_logs else record.finding.occurrences + 1
    return replace(
        record,
        finding=_merged(record.finding, result.finding, count),
        opened_at=result.at,
        at_launch=result.at_launch,
        evaluated_at=max(record.evaluated_at, result.at),
        objects=result.bad[:OBJECTS],
        newest=result.newest,
        # The holder of the lease may have notified the resolution before it died.
        last_notified=None if record.lease else record.last_notified,
        expires=record.expires if record.final else None,
    )


def _repeated(record: FindingRecord, result: RuleResult) -> FindingRecord:
    newly_confirmed = record.finding.compliance is not Compliance.NON_COMPLIANT and (
        result.finding.compliance is Compliance.NON_COMPLIANT
    )
    if not newly_confirmed and result.at < record.evaluated_at - SKEW:
        return record
    finding = _merged(record.finding, result.finding, record.finding.occurrences + 1)
    if record.kind is Kind.LOG_BUCKET:
        finding = replace(finding, evidence=_samples(record.finding, finding))
    return replace(record, finding=finding, evaluated_at=max(record.evaluated_at, result.at))


def _added(record: FindingRecord, result: RuleResult) -> FindingRecord:
    """Add a batch of objects; undetermined ones are not added to non-compliant ones."""
    if result.extent is not Extent.MORE:
        return _recounted(record, result)
    found, known = result.finding, record.finding
    objects = tuple(each for each in record.objects if each not in result.cleared)
    count = known.occurrences - (len(record.objects) - len(objects))
    evidence = known.evidence
    if found.compliance is known.compliance:
        again = sum(each in objects for each in result.bad)
        if again == found.occurrences and len(objects) == len(record.objects):
            return record
        objects = tuple(dict.fromkeys((*objects, *result.bad)))[:OBJECTS]
        count += found.occurrences - again
        evidence = _samples(known, found)
    elif found.compliance is Compliance.NON_COMPLIANT:
        objects, count, evidence = result.bad[:OBJECTS], found.occurrences, found.evidence
    elif len(objects) == len(record.objects):
        return record
    finding = replace(_merged(known, found, count), evidence=evidence)
    return _with_objects(record, result, finding, objects)


def _recounted(record: FindingRecord, result: RuleResult) -> FindingRecord:
    """Count objects of which some, or all, were counted before."""
    found, known = result.finding, record.finding
    same = found.compliance is known.compliance
    if not same and found.compliance is not Compliance.NON_COMPLIANT:
        return record
    if same and not _is_complete(record, result):
        count = max(known.occurrences, found.occurrences)
        objects = tuple(dict.fromkeys((*record.objects, *result.bad)))[:OBJECTS]
        evidence = _samples(known, found)
    else:
        count, objects, evidence = found.occurrences, result.bad[:OBJECTS], found.evidence
    finding = replace(_merged(known, found, count), evidence=evidence)
    return _with_objects(record, result, finding, objects)


def _with_objects(
    record: FindingRecord, result: RuleResult, finding: Finding, objects: tuple[ObjectVersion, ...]
) -> FindingRecord:
    return replace(
        record,
        finding=finding,
        objects=objects,
        expires=result.at + RETENTION if record.final else None,
        evaluated_at=max(record.evaluated_at, result.at),
    )


def _is_complete(record: FindingRecord, result: RuleResult) -> bool:
    """Whether a result covers all objects: none were recorded since they were read."""
    return result.extent is Extent.ALL and record.evaluated_at <= result.at


def _merged(known: Finding, found: Finding, occurrences: int) -> Finding:
    """Merge a repeated finding: an undetermined result does not replace a confirmed one."""
    undetermined = (
        known.status is not Status.RESOLVED
        and known.compliance is Compliance.NON_COMPLIANT
        and found.compliance is Compliance.INSUFFICIENT_DATA
    )
    return replace(
        known if undetermined else found,
        launched_by=found.launched_by or known.launched_by,
        status=Status.OPEN,
        first_seen=min(known.first_seen, found.first_seen),
        last_seen=max(known.last_seen, found.last_seen),
        occurrences=occurrences,
    )


def _samples(known: Finding, found: Finding) -> Evidence:
    """Return the evidence, with the samples of both findings."""
    samples = (known.evidence.get("samples"), found.evidence.get("samples"))
    named = [name for each in samples if isinstance(each, tuple) for name in each]
    return {**known.evidence, "samples": tuple(dict.fromkeys(named))[:SAMPLES]}
