from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import AlertKind
from emr_log_guard.domain.findings import Evidence, Finding, Status
from emr_log_guard.domain.ledger import (
    CLAIM,
    QUIET,
    REMIND,
    REQUEST_AGAIN,
    RETENTION,
    SKEW,
    Claim,
    Entry,
    Kind,
    Memory,
    Transition,
    ended,
    enter,
    owed,
    request_due,
    told_of,
    transition,
)
from tests.unit.builders import NOW, a_cluster, a_finding

BAD, DOUBT = Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA
GOOD, IDLE = Compliance.COMPLIANT, Compliance.NOT_APPLICABLE
SECOND = timedelta(seconds=1)


def found(compliance: Compliance = BAD, *, at: datetime = NOW, count: int = 1) -> Finding:
    return replace(a_finding(compliance=compliance), first_seen=at, last_seen=at, occurrences=count)


def an_entry(compliance: Compliance = BAD, kind: Kind = Kind.CLUSTER) -> Entry:
    entry = enter(None, found(compliance), kind, NOW)
    assert entry is not None
    return entry


def entered(entry: Entry, compliance: Compliance, after: timedelta) -> Entry:
    later = enter(entry, found(compliance, at=NOW + after), entry.kind, NOW + after)
    assert later is not None
    return later


def resolved(entry: Entry | None = None) -> Entry:
    return entered(entry or an_entry(), GOOD, timedelta(minutes=1))


@pytest.mark.parametrize("compliance", [GOOD, IDLE])
def test_what_never_was_wrong_is_not_remembered(compliance: Compliance) -> None:
    assert enter(None, found(compliance), Kind.CLUSTER, NOW) is None
    assert transition(None, None) is None


@pytest.mark.parametrize("compliance", [BAD, DOUBT])
def test_faults_and_doubts_open(compliance: Compliance) -> None:
    entry = an_entry(compliance)

    assert entry.open
    assert transition(None, entry) is Transition.OPENED
    assert owed(entry, NOW) is AlertKind.FINDING_OPENED


@pytest.mark.parametrize("compliance", [GOOD, IDLE])
@pytest.mark.parametrize("opened", [BAD, DOUBT])
def test_a_later_good_judgement_resolves(opened: Compliance, compliance: Compliance) -> None:
    entry = entered(an_entry(opened), compliance, SKEW + SECOND)

    assert entry.finding.status is Status.RESOLVED
    assert entry.expires == NOW + SKEW + SECOND + RETENTION
    assert transition(an_entry(opened), entry) is Transition.RESOLVED


@pytest.mark.parametrize("after", [-QUIET, -SKEW, timedelta(0), SKEW])
def test_a_good_judgement_that_may_be_older_resolves_nothing(after: timedelta) -> None:
    assert entered(an_entry(), GOOD, after) == an_entry()


def test_good_objects_and_the_clusters_end_do_not_clear_bad_objects() -> None:
    entry = an_entry(kind=Kind.LOG_OBJECTS)

    assert entered(entry, GOOD, timedelta(days=1)) == entry
    over = ended(entry, NOW)
    assert (over.open, over.expires) == (True, NOW + RETENTION)
    assert entered(over, BAD, QUIET).expires == NOW + QUIET + RETENTION


def test_doubt_neither_resolves_nor_replaces_what_was_proven() -> None:
    entry = entered(an_entry(BAD), DOUBT, QUIET)

    assert (entry.finding.compliance, entry.open) == (BAD, True)
    assert entry.finding.last_seen == NOW + QUIET
    assert transition(an_entry(), entry) is Transition.STILL_OPEN


def test_what_was_in_doubt_and_is_proven_is_news() -> None:
    entry = entered(told_of(an_entry(DOUBT), NOW), BAD, SECOND)

    assert entry.finding.compliance is BAD
    assert owed(entry, NOW) is AlertKind.FINDING_OPENED


def test_a_repeat_is_written_down_after_a_while_and_keeps_when_it_was_first_seen() -> None:
    assert entered(an_entry(), BAD, QUIET - SECOND) == an_entry()

    finding = entered(an_entry(), BAD, QUIET).finding
    assert (finding.first_seen, finding.last_seen) == (NOW, NOW + QUIET)
    assert finding.occurrences == 2


@pytest.mark.parametrize(
    ("known", "then", "count", "compliance"),
    [(BAD, BAD, 5, BAD), (BAD, DOUBT, 2, BAD), (DOUBT, BAD, 3, BAD), (DOUBT, DOUBT, 5, DOUBT)],
)
def test_objects_add_up_where_they_are_of_a_kind(
    known: Compliance, then: Compliance, count: int, compliance: Compliance
) -> None:
    def batch(what: Compliance, size: int, name: str) -> Finding:
        samples: Evidence = {"samples": tuple(f"{name}{n}" for n in range(size))}
        return replace(found(what, count=size), evidence=samples)

    entry = enter(None, batch(known, 2, "a"), Kind.LOG_OBJECTS, NOW)
    entry = enter(entry, batch(then, 3, "b"), Kind.LOG_OBJECTS, NOW)

    assert entry is not None
    assert (entry.finding.occurrences, entry.finding.compliance) == (count, compliance)
    samples = entry.finding.evidence["samples"]
    assert isinstance(samples, tuple)
    assert len(samples) == count


def test_a_fault_that_comes_back_reopens_and_keeps_when_it_was_first_seen() -> None:
    known = told_of(resolved(told_of(an_entry(), NOW)), NOW)
    entry = entered(known, BAD, timedelta(hours=1))

    assert transition(known, entry) is Transition.REOPENED
    assert owed(entry, NOW) is AlertKind.FINDING_REOPENED
    assert (entry.finding.first_seen, entry.expires) == (NOW, None)
    assert transition(known, known) is None


def test_an_older_fault_does_not_undo_a_newer_good_judgement() -> None:
    assert entered(resolved(), BAD, timedelta(seconds=60) - SKEW - SECOND) == resolved()
    assert entered(resolved(), BAD, timedelta(seconds=60) - SKEW).open


def test_there_is_no_way_back_from_a_clusters_end() -> None:
    over = ended(an_entry(), NOW - timedelta(hours=1))

    assert not over.open
    assert entered(over, BAD, timedelta(days=1)) == over
    assert ended(over, NOW + QUIET) == over
    assert not ended(resolved(), NOW).open


def test_people_are_told_of_an_end_only_when_they_knew_of_the_beginning() -> None:
    assert owed(resolved(), NOW) is None
    known = resolved(told_of(an_entry(), NOW))
    assert owed(known, NOW) is AlertKind.FINDING_RESOLVED
    assert owed(told_of(known, NOW), NOW) is None


def test_people_are_reminded_of_what_stays_open() -> None:
    told = told_of(an_entry(), NOW)

    assert owed(told, NOW + REMIND - SECOND) is None
    assert owed(told, NOW + REMIND) is AlertKind.FINDING_REMINDER


def test_a_claim_is_anothers_until_it_runs_out() -> None:
    entry = replace(an_entry(), claim=Claim("other", NOW + CLAIM))

    assert entry.claimed_by_another("me", NOW)
    assert not entry.claimed_by_another("other", NOW)
    assert not entry.claimed_by_another("me", NOW + CLAIM)


def test_enforcement_is_asked_for_again_after_a_while() -> None:
    asked = replace(an_entry(), requested_at=NOW)

    assert request_due([an_entry()], NOW)
    assert not request_due([an_entry(), asked], NOW + REQUEST_AGAIN - SECOND)
    assert request_due([asked], NOW + REQUEST_AGAIN)


def test_settings_are_remembered_anew_when_more_than_the_state_changed() -> None:
    memory = Memory({}, a_cluster())

    assert Memory({}).lacks(a_cluster())
    assert not memory.lacks(a_cluster(state="WAITING", termination_protected=True))
    assert memory.lacks(a_cluster(tags={"team": "a"}))
