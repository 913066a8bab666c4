from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.finding_record import (
    LEASE,
    OBJECTS,
    PENDING_LATE,
    QUIET,
    REMEDIED,
    RETENTION,
    SKEW,
    STILL_WRITTEN,
    TRANSIENT_QUIET,
    UNREAD_QUIET,
    ClusterHistory,
    ClusterSnapshot,
    Extent,
    FindingRecord,
    Kind,
    LastNotified,
    Lease,
    RuleResult,
    Transition,
    cluster_terminated,
    enter,
    rule_disabled,
    transition,
    worth_writing,
)
from emr_log_guard.domain.findings import Evidence, Finding, Status
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.policy import Enforcement, Policy
from emr_log_guard.domain.reencrypted import Reencrypted
from tests.unit.builders import NOW, a_cluster, a_finding

BAD, DOUBT = Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA
GOOD, IDLE = Compliance.COMPLIANT, Compliance.NOT_APPLICABLE
SECOND = timedelta(seconds=1)


def found(compliance: Compliance = BAD, *, at: datetime = NOW, count: int = 1) -> Finding:
    return replace(a_finding(compliance=compliance), first_seen=at, last_seen=at, occurrences=count)


def an_entry(compliance: Compliance = BAD, kind: Kind = Kind.CLUSTER) -> FindingRecord:
    record = enter(None, RuleResult(found(compliance), kind, NOW))
    assert record is not None
    return record


def entered(record: FindingRecord, compliance: Compliance, after: timedelta) -> FindingRecord:
    at = NOW + after
    later = enter(record, RuleResult(found(compliance, at=at), record.kind, at))
    assert later is not None
    return later


def resolved(record: FindingRecord | None = None) -> FindingRecord:
    return entered(record or an_entry(), GOOD, timedelta(minutes=1))


@pytest.mark.parametrize("compliance", [GOOD, IDLE])
def test_compliant_result_without_a_record_is_not_stored(compliance: Compliance) -> None:
    assert enter(None, RuleResult(found(compliance), Kind.CLUSTER, NOW)) is None
    assert transition(None, None) is None


@pytest.mark.parametrize("compliance", [BAD, DOUBT])
def test_violations_and_undetermined_results_open_a_record(compliance: Compliance) -> None:
    record = an_entry(compliance)

    assert record.open
    assert transition(None, record) is Transition.OPENED
    assert record.opened_at == NOW


@pytest.mark.parametrize("compliance", [GOOD, IDLE])
@pytest.mark.parametrize("opened", [BAD, DOUBT])
def test_later_compliant_result_resolves_the_finding(
    opened: Compliance, compliance: Compliance
) -> None:
    record = entered(an_entry(opened), compliance, SKEW + SECOND)

    assert record.finding.status is Status.RESOLVED
    assert record.expires == NOW + SKEW + SECOND + RETENTION
    assert transition(an_entry(opened), record) is Transition.RESOLVED


@pytest.mark.parametrize("after", [-QUIET, -SKEW, timedelta(0), SKEW])
def test_compliant_result_that_may_be_older_does_not_resolve_the_finding(after: timedelta) -> None:
    assert entered(an_entry(), GOOD, after) == an_entry()


def test_compliant_objects_and_termination_do_not_resolve_violating_objects() -> None:
    record = an_entry(kind=Kind.LOG_OBJECTS)

    assert entered(record, GOOD, timedelta(days=1)) == record
    over = cluster_terminated(record, NOW)
    assert (over.open, over.expires) == (True, NOW + RETENTION)
    assert entered(over, BAD, QUIET).expires == NOW + QUIET + RETENTION


def test_undetermined_result_neither_resolves_nor_replaces_a_proven_violation() -> None:
    record = entered(an_entry(BAD), DOUBT, QUIET)

    assert (record.finding.compliance, record.open) == (BAD, True)
    assert record.finding.last_seen == NOW + QUIET
    assert transition(an_entry(), record) is Transition.STILL_OPEN


def test_undetermined_result_that_becomes_a_violation_is_stored_at_once() -> None:
    record = entered(an_entry(DOUBT), BAD, SECOND)

    assert record.finding.compliance is BAD
    assert worth_writing(an_entry(DOUBT), record)


def test_older_violation_changes_an_undetermined_record_but_not_a_proven_one() -> None:
    assert entered(an_entry(), BAD, -SKEW - SECOND) == an_entry()
    proven = entered(an_entry(DOUBT), BAD, -QUIET)
    assert proven.finding.compliance is BAD
    assert proven.evaluated_at == NOW
    assert entered(proven, GOOD, -SECOND).open


def test_repeated_result_is_stored_after_an_interval_and_keeps_first_seen() -> None:
    assert not worth_writing(an_entry(), entered(an_entry(), BAD, QUIET - SECOND))

    later = entered(an_entry(), BAD, QUIET)
    assert worth_writing(an_entry(), later)
    assert (later.finding.first_seen, later.finding.last_seen) == (NOW, NOW + QUIET)
    assert (later.finding.occurrences, later.opened_at) == (2, NOW)
    assert worth_writing(None, later)


@pytest.mark.parametrize(
    ("known", "then", "count", "compliance"),
    [(BAD, BAD, 5, BAD), (BAD, DOUBT, 2, BAD), (DOUBT, BAD, 3, BAD), (DOUBT, DOUBT, 5, DOUBT)],
)
def test_objects_of_one_compliance_add_up(
    known: Compliance, then: Compliance, count: int, compliance: Compliance
) -> None:
    record = enter(None, batch(known, "a1", "a2"))
    record = enter(record, batch(then, "b1", "b2", "b3"))

    assert record is not None
    assert record.expires is None
    assert (record.finding.occurrences, record.finding.compliance) == (count, compliance)
    samples = record.finding.evidence["samples"]
    assert isinstance(samples, tuple)
    assert len(samples) == count


def version(name: str) -> ObjectVersion:
    return ObjectVersion("example-logs", name)


def batch(compliance: Compliance, *names: str, cleared: str = "") -> RuleResult:
    evidence: Evidence = {"samples": names}
    finding = replace(found(compliance, count=len(names)), evidence=evidence)
    again = frozenset({version(cleared)} if cleared else ())
    return RuleResult(finding, Kind.LOG_OBJECTS, NOW, bad=tuple(map(version, names)), cleared=again)


def objects(*batches: RuleResult) -> FindingRecord:
    record = None
    for each in batches:
        record = enter(record, each)
    assert record is not None
    return record


def test_object_seen_again_is_counted_once() -> None:
    once = objects(batch(BAD, "a", "b"))

    assert objects(batch(BAD, "a", "b"), batch(BAD, "b")) == once
    assert objects(batch(BAD, "a"), batch(BAD, "a", "b")).finding.occurrences == 2


def test_objects_are_stored_up_to_a_limit_and_counted_beyond_it() -> None:
    names = [str(n) for n in range(OBJECTS + 5)]
    record = objects(*(batch(BAD, name) for name in names))

    assert record.finding.occurrences == OBJECTS + 5
    assert record.objects == tuple(map(version, names[:OBJECTS]))


def test_finding_is_resolved_when_every_object_is_compliant_or_deleted() -> None:
    fewer = objects(batch(BAD, "a", "b"), batch(GOOD, cleared="a"))
    none = objects(batch(BAD, "a", "b"), batch(GOOD, cleared="a"), batch(GOOD, cleared="b"))

    assert (fewer.finding.occurrences, fewer.objects, fewer.open) == (1, (version("b"),), True)
    assert (none.open, none.expires) == (False, NOW + RETENTION)
    assert objects(batch(BAD, "a"), batch(GOOD, cleared="x")).open
    unnamed = objects(batch(BAD, *map(str, range(OBJECTS + 1))))
    for n in range(OBJECTS):
        unnamed = entered_again(unnamed, batch(GOOD, cleared=str(n)))
    assert (unnamed.open, unnamed.finding.occurrences, unnamed.objects) == (True, 1, ())


def entered_again(record: FindingRecord, seen: RuleResult) -> FindingRecord:
    after = enter(record, seen)
    assert after is not None
    return after


def test_object_that_is_compliant_again_is_removed_while_others_are_added() -> None:
    bad = objects(batch(BAD, "a"), batch(BAD, "b", cleared="a"))
    doubt = objects(batch(BAD, "a", "c"), batch(DOUBT, "b", cleared="a"))

    assert (bad.objects, bad.finding.occurrences) == ((version("b"),), 1)
    assert (doubt.objects, doubt.finding.occurrences) == ((version("c"),), 1)


def test_violation_that_returns_reopens_the_finding_and_restarts_its_grace() -> None:
    known = replace(resolved(), ever_notified=True)
    record = entered(known, BAD, timedelta(hours=1))

    assert transition(known, record) is Transition.REOPENED
    assert (record.finding.first_seen, record.expires) == (NOW, None)
    assert record.opened_at == NOW + timedelta(hours=1)
    assert record.ever_notified
    assert transition(known, known) is None
    assert transition(None, an_entry()) is Transition.OPENED


def test_last_notified_is_cleared_when_a_resolution_may_have_been_reported() -> None:
    notified = LastNotified(NOW, BAD)
    claimed = replace(resolved(), last_notified=notified, lease=Lease("dead", NOW))

    assert entered(claimed, BAD, timedelta(hours=1)).last_notified is None
    assert entered(replace(claimed, lease=None), BAD, timedelta(hours=1)).last_notified == notified


def test_grace_starts_at_opening_and_its_length_depends_on_the_launch() -> None:
    enforcement = Enforcement(grace_at_launch=timedelta(minutes=1))
    running = entered(an_entry(), BAD, timedelta(hours=1))

    assert running.grace_ends(enforcement) == NOW + timedelta(minutes=240)
    at_launch = replace(running, at_launch=True)
    assert at_launch.grace_ends(enforcement) == NOW + timedelta(minutes=1)


def test_older_violation_does_not_reopen_a_newer_compliant_result() -> None:
    assert entered(resolved(), BAD, timedelta(seconds=60) - SKEW - SECOND) == resolved()
    assert entered(resolved(), BAD, timedelta(seconds=60) - SKEW).open


def test_finding_of_a_terminated_cluster_never_reopens() -> None:
    over = cluster_terminated(an_entry(), NOW - timedelta(hours=1))

    assert not over.open
    assert entered(over, BAD, timedelta(days=1)) == over
    assert cluster_terminated(over, NOW + QUIET) == over
    assert not cluster_terminated(resolved(), NOW).open


def test_lease_belongs_to_its_owner_until_it_expires() -> None:
    record = replace(an_entry(), lease=Lease("other", NOW + LEASE))

    assert record.leased_by_another("me", NOW)
    assert not record.leased_by_another("other", NOW)
    assert not record.leased_by_another("me", NOW + LEASE)


@pytest.mark.parametrize("knows_first", [True, False])
def test_launched_by_is_kept_in_either_order_of_events(*, knows_first: bool) -> None:
    knowing = replace(found(), launched_by="arn:aws:iam::111122223333:role/jane")
    asked = [knowing, replace(found(), launched_by=None)]
    record = None

    for finding in asked if knows_first else reversed(asked):
        record = enter(record, RuleResult(finding, Kind.CLUSTER, NOW))

    assert record is not None
    assert record.finding.launched_by == knowing.launched_by


def test_merged_snapshot_keeps_launched_by_keys_and_log_key_worked() -> None:
    first = ClusterSnapshot(a_cluster(), "ada", ("a",), log_key_worked=True, version=1)
    later = ClusterSnapshot(a_cluster(state="WAITING", termination_protected=True), keys=("b",))

    merged = later.merged_into(first)
    assert (merged.launched_by, merged.keys, merged.log_key_worked) == ("ada", ("a", "b"), True)
    assert (merged.version, merged.cluster.state) == (1, "WAITING")
    assert later.merged_into(None) == later


def test_snapshot_is_stored_again_when_more_than_the_state_changed() -> None:
    known = ClusterSnapshot(a_cluster(), "ada", version=1)

    assert known.says_more_than(None)
    same = replace(known, cluster=a_cluster(state="WAITING", termination_protected=True))
    assert not same.says_more_than(known)
    assert replace(known, cluster=a_cluster(tags={"team": "a"})).says_more_than(known)
    assert replace(known, keys=("a",)).says_more_than(known)


ONE, TWO, THREE = (ObjectVersion("logs", f"{n}.gz") for n in range(3))
MINUTE = timedelta(minutes=1)


def bad_objects(
    *objects: ObjectVersion,
    compliance: Compliance = BAD,
    extent: Extent = Extent.MORE,
    at: datetime = NOW,
    count: int | None = None,
) -> RuleResult:
    seen = found(compliance, at=at, count=len(objects) if count is None else count)
    evidence: Evidence = {"samples": tuple(map(str, objects))}
    return RuleResult(
        replace(seen, evidence=evidence), Kind.LOG_OBJECTS, at, bad=objects, extent=extent
    )


def counted(record: FindingRecord | None) -> tuple[int, tuple[ObjectVersion, ...]]:
    assert record is not None
    return record.finding.occurrences, record.objects


def test_objects_that_may_have_been_counted_before_are_not_added() -> None:
    record = enter(None, bad_objects(ONE, TWO, count=20))

    again = enter(record, bad_objects(TWO, THREE, extent=Extent.AGAIN, at=NOW + MINUTE))
    assert counted(again) == (20, (ONE, TWO, THREE))
    assert again is not None
    assert again.finding.evidence["samples"] == tuple(map(str, (ONE, TWO, THREE)))
    more = enter(again, bad_objects(ONE, count=30, extent=Extent.AGAIN, at=NOW + MINUTE))
    assert counted(more) == (30, (ONE, TWO, THREE))


def test_result_about_all_objects_replaces_the_known_objects() -> None:
    record = enter(None, bad_objects(ONE, TWO, count=20))

    assert counted(enter(record, bad_objects(THREE, extent=Extent.ALL, at=NOW + MINUTE))) == (
        1,
        (THREE,),
    )


def test_object_recorded_after_all_were_read_is_kept() -> None:
    record = enter(None, bad_objects(ONE, at=NOW + MINUTE))

    assert counted(enter(record, bad_objects(TWO, extent=Extent.ALL))) == (1, (ONE, TWO))
    assert enter(record, bad_objects(compliance=GOOD, extent=Extent.ALL)) == record


def test_finding_is_resolved_when_no_object_of_all_violates() -> None:
    record = enter(None, bad_objects(ONE, TWO, count=20))
    at = NOW + MINUTE

    resolved = enter(record, bad_objects(compliance=GOOD, extent=Extent.ALL, at=at))

    assert resolved is not None
    assert (resolved.open, resolved.objects) == (False, ())
    assert resolved.expires == at + RETENTION
    assert enter(record, bad_objects(compliance=GOOD, extent=Extent.AGAIN, at=at)) == record


def test_repeated_undetermined_result_adds_nothing_to_proven_violations() -> None:
    record = enter(None, bad_objects(ONE))

    for extent in (Extent.AGAIN, Extent.ALL):
        seen = bad_objects(TWO, compliance=DOUBT, extent=extent, at=NOW + MINUTE)
        assert enter(record, seen) == record


def test_proven_violation_replaces_undetermined_objects() -> None:
    record = enter(None, bad_objects(ONE, compliance=DOUBT, count=9))

    proven = enter(record, bad_objects(TWO, extent=Extent.AGAIN, at=NOW + MINUTE))

    assert counted(proven) == (1, (TWO,))
    assert proven is not None
    assert proven.finding.compliance is BAD


def test_rescan_of_the_logs_of_a_terminated_cluster_extends_retention() -> None:
    record = enter(None, bad_objects(ONE))
    assert record is not None

    again = enter(
        cluster_terminated(record, NOW), bad_objects(ONE, extent=Extent.AGAIN, at=NOW + MINUTE)
    )

    assert again is not None
    assert again.expires == NOW + MINUTE + RETENTION


ENFORCEMENT = Enforcement()
LASTED = ENFORCEMENT.transient


def evaluated(
    record: FindingRecord | None,
    after: timedelta,
    compliance: Compliance = BAD,
    *,
    once_lasting: Compliance | None = None,
    over: bool = False,
) -> FindingRecord:
    """Enter what a rule made of the facts some time after NOW."""
    at = NOW + after
    finding = replace(found(compliance, at=at), once_lasting=once_lasting, over=over)
    later = enter(record, RuleResult(finding, Kind.CLUSTER, at), ENFORCEMENT)
    assert later is not None
    return later


def transient(record: FindingRecord | None, after: timedelta = timedelta(0)) -> FindingRecord:
    return evaluated(record, after, DOUBT, once_lasting=BAD)


def test_transient_fact_is_undetermined_until_it_has_lasted() -> None:
    young = transient(transient(None), LASTED - SECOND)
    assert young.finding.compliance is DOUBT
    assert young.transient_since == NOW

    old = transient(young, LASTED)
    assert old.finding.compliance is BAD
    assert old.opened_at == NOW + LASTED  # grace begins with the proof


def test_grace_that_began_with_the_proof_does_not_restart() -> None:
    old = transient(transient(None), LASTED)

    assert transient(old, LASTED + timedelta(hours=1)).opened_at == NOW + LASTED


def test_proof_by_a_lasting_fact_clears_transient_since_and_starts_grace() -> None:
    proven = evaluated(transient(None), timedelta(minutes=2))

    assert proven.transient_since is None
    assert proven.opened_at == NOW + timedelta(minutes=2)


def test_violation_proven_by_a_lasting_fact_does_not_become_transient() -> None:
    proven = evaluated(None, timedelta(0))

    again = transient(proven, timedelta(hours=1))

    assert again.finding.compliance is BAD
    assert again.transient_since is None
    assert again.opened_at == NOW


def test_transient_fact_that_was_cleared_has_to_last_again() -> None:
    cleared = evaluated(transient(None), timedelta(minutes=20), GOOD)
    assert not cleared.open

    again = transient(cleared, LASTED)

    assert again.finding.compliance is DOUBT
    assert again.transient_since == NOW + LASTED


def test_older_evaluation_of_a_transient_fact_changes_nothing() -> None:
    old = transient(transient(None), LASTED)

    assert transient(old, LASTED / 2).transient_since == NOW
    assert transient(old, LASTED / 2).finding.compliance is BAD


def test_young_transient_fact_does_not_alert() -> None:
    record = transient(None)

    assert record.transient_and_young(NOW + TRANSIENT_QUIET - SECOND)
    assert not record.transient_and_young(NOW + TRANSIENT_QUIET)
    assert not evaluated(None, timedelta(0)).transient_and_young(NOW)
    assert not record.to_be_read_again(NOW)


def test_fact_unavailable_from_aws_is_read_again_for_a_time_before_it_alerts() -> None:
    record = evaluated(None, timedelta(0), DOUBT, once_lasting=DOUBT)

    assert record.transient_and_young(NOW + UNREAD_QUIET - SECOND)
    assert record.to_be_read_again(NOW + UNREAD_QUIET - SECOND)
    assert not record.transient_and_young(NOW + UNREAD_QUIET)
    assert not record.to_be_read_again(NOW + UNREAD_QUIET)


def test_violation_that_becomes_ongoing_again_restarts_its_grace() -> None:
    over = evaluated(None, timedelta(0), over=True)
    assert not over.ongoing(NOW)

    again = evaluated(over, timedelta(hours=9))

    assert again.ongoing(NOW + timedelta(hours=9))
    assert again.opened_at == NOW + timedelta(hours=9)


def test_violation_that_stops_being_ongoing_keeps_its_grace() -> None:
    over = evaluated(evaluated(None, timedelta(0)), timedelta(hours=1), over=True)

    assert over.opened_at == NOW
    assert not over.ongoing(NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("newest", "ongoing"),
    [(timedelta(0), False), (SECOND, True), (None, False)],
    ids=["an hour ago", "just under an hour ago", "not known"],
)
def test_bad_log_objects_are_ongoing_for_an_hour_after_the_newest_was_written(
    newest: timedelta | None, *, ongoing: bool
) -> None:
    record = replace(
        an_entry(kind=Kind.LOG_OBJECTS), newest=None if newest is None else NOW + newest
    )

    assert record.ongoing(NOW + STILL_WRITTEN) is ongoing


def test_newest_violating_log_object_is_recorded_in_any_order() -> None:
    record: FindingRecord | None = None
    for minutes in (5, 9, 1):
        at = NOW + timedelta(minutes=10)
        bad = (ObjectVersion("logs", f"{minutes}"),)
        written = NOW + timedelta(minutes=minutes)
        record = enter(
            record, RuleResult(found(at=at), Kind.LOG_OBJECTS, at, bad=bad, newest=written)
        )

    assert record is not None
    assert record.newest == NOW + timedelta(minutes=9)


def test_pending_notification_is_late_after_the_limit() -> None:
    record = replace(an_entry(), pending_since=NOW)

    assert record.pending_for_long(NOW + PENDING_LATE)
    assert not record.pending_for_long(NOW + PENDING_LATE - SECOND)
    assert not an_entry().pending_for_long(NOW + PENDING_LATE)


@pytest.mark.parametrize(
    ("decided", "stored", "newer"),
    [(1, 0, True), (0, 0, False), (0, 1, False), (None, 0, False), (1, None, False)],
)
def test_policy_is_stale_when_a_newer_policy_has_decided(
    decided: int | None, stored: int | None, *, newer: bool
) -> None:
    record = replace(an_entry(), decided_under=None if decided is None else NOW + decided * SECOND)
    policy = Policy(stored_at=None if stored is None else NOW + stored * SECOND)

    assert ClusterHistory({"EMRLOG-002": record}).decided_under_newer(policy) is newer


def test_time_unread_does_not_count_towards_the_proof_of_a_transient_fact() -> None:
    unread = evaluated(None, timedelta(0), DOUBT, once_lasting=DOUBT)
    violated = transient(unread, LASTED)
    assert violated.finding.compliance is DOUBT
    assert violated.transient_since == NOW + LASTED

    # An unread fact in between does not restart the time.
    again = evaluated(violated, LASTED + timedelta(minutes=10), DOUBT, once_lasting=DOUBT)
    assert transient(again, 2 * LASTED).finding.compliance is BAD


def test_grace_starts_when_an_undetermined_result_becomes_a_violation() -> None:
    unread = evaluated(None, timedelta(0), DOUBT)
    proven = evaluated(unread, timedelta(minutes=15))

    assert (proven.finding.compliance, proven.opened_at) == (BAD, NOW + timedelta(minutes=15))
    assert evaluated(proven, timedelta(minutes=30)).opened_at == proven.opened_at


def test_only_the_owner_of_a_lease_releases_it_to_the_former_owner() -> None:
    former, mine = Lease("another", NOW), Lease("mine", NOW)
    claimed = replace(an_entry(), lease=mine)

    assert claimed.released("mine").lease is None
    assert claimed.released("mine", former).lease == former
    assert claimed.released("another") == claimed
    assert an_entry().released("mine", former) == an_entry()


def test_record_keeps_the_newest_policy_that_decided_about_it() -> None:
    earlier, later = (Policy(stored_at=NOW + timedelta(days=n)) for n in (0, 1))

    assert an_entry().decided_by(Policy()) == an_entry()
    assert an_entry().decided_by(earlier).decided_under == NOW
    assert an_entry().decided_by(later).decided_by(earlier).decided_under == later.stored_at


def test_disabled_rule_resolves_its_finding_and_sets_its_expiry() -> None:
    record = rule_disabled(an_entry(), NOW)

    assert not record.open
    assert record.finding.deadline is None
    assert record.expires == NOW + RETENTION


def test_deadline_is_announced_only_for_a_violation() -> None:
    def notified(compliance: Compliance, deadline: datetime | None) -> FindingRecord:
        return replace(an_entry(), last_notified=LastNotified(NOW, compliance, deadline))

    assert an_entry().announced_deadline is None
    assert notified(DOUBT, NOW).announced_deadline is None
    assert notified(BAD, None).announced_deadline is None
    assert notified(BAD, NOW).announced_deadline == NOW


DAY = timedelta(hours=24)
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "counts", "notified", "due"),
    [
        pytest.param(Status.RESOLVED, (0, 0), None, None, id="nothing re-encrypted"),
        pytest.param(Status.RESOLVED, (2, 2), NOW, None, id="all notified"),
        pytest.param(Status.RESOLVED, (2, 0), None, LATER, id="none left"),
        pytest.param(Status.OPEN, (2, 0), None, LATER, id="some left for long"),
        pytest.param(Status.RESOLVED, (3, 2), NOW, NOW + DAY, id="more since"),
        pytest.param(Status.OPEN, (3, 2), NOW, NOW + DAY, id="more since, some left"),
    ],
)
def test_count_of_reencrypted_objects_is_due_when_none_is_left_or_with_the_reminders(
    status: Status, counts: tuple[int, int], notified: datetime | None, due: datetime | None
) -> None:
    count, notified_count = counts
    state = Reencrypted(
        count=count,
        last=LATER if count else None,
        notified=notified,
        notified_count=notified_count,
    )
    record = an_entry(kind=Kind.LOG_OBJECTS)
    record = replace(record, finding=replace(record.finding, status=status), reencryption=state)

    assert record.done_due(DAY) == due


def test_count_of_reencrypted_objects_is_not_due_while_the_finding_is_young() -> None:
    record = replace(an_entry(kind=Kind.LOG_OBJECTS), reencryption=Reencrypted(count=1, last=NOW))

    assert record.done_due(DAY) == NOW + REMEDIED


def test_count_of_reencrypted_objects_is_due_with_the_notification_of_the_resolution() -> None:
    state = Reencrypted(count=3, last=LATER, notified=NOW, notified_count=2)
    record = replace(
        resolved(), reencryption=state, last_notified=LastNotified(NOW, Compliance.NON_COMPLIANT)
    )

    assert record.done_due(DAY) == LATER
