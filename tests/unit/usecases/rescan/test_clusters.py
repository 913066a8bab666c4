from datetime import timedelta
from math import ceil

import pytest

from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.keys import KeyState
from emr_log_guard.domain.rescan import Scope
from emr_log_guard.events.rescan import RescanRequest
from emr_log_guard.rendering.reports.page import shown_exemptions
from emr_log_guard.usecases.rescan.plan import KNOWN_CLUSTERS
from tests.unit.builders import (
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    a_cluster,
    a_key,
    a_policy,
    an_exemption,
)
from tests.unit.fakes import FakeKeys
from tests.unit.usecases.rescan.rescans import MACHINE, Rescans, a_name, another

GOOD = a_cluster()
BAD = a_cluster(log_key_identifier=None)
N = 120


@pytest.fixture
def rescans() -> Rescans:
    return Rescans()


def forget_calls(rescans: Rescans) -> None:
    world = rescans.world
    for calls in (world.clusters.asked, world.clusters.steps_asked, world.keys.asked):
        calls.clear()
    world.roles.asked.clear()
    world.buckets.asked.clear()


def test_known_clusters_need_one_listing_and_one_read_of_each_key_per_shard(
    rescans: Rescans,
) -> None:
    world = rescans.world
    world.keys = FakeKeys({KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY})
    keyed = (GOOD, a_cluster(log_key_identifier=ANOTHER_KEY.arn))
    rescans.launch(*(another(keyed[n % 2], n) for n in range(N)))
    first = rescans.run(Scope.CLUSTERS)
    assert (first.clusters, first.described) == ({"COMPLIANT": N}, N)
    forget_calls(rescans)
    rescans.listing.asked.clear()

    second = rescans.run(Scope.CLUSTERS)

    assert (second.clusters, second.described) == ({"COMPLIANT": N}, 0)
    assert world.clusters.asked == world.clusters.steps_asked == []
    assert world.roles.asked == world.buckets.asked == []
    assert len(rescans.listing.asked) == 1
    shards = ceil(N / KNOWN_CLUSTERS)
    assert sorted(world.keys.asked) == sorted([KEY.arn, ANOTHER_KEY.arn] * shards)


def test_only_new_or_non_compliant_clusters_are_described_again(rescans: Rescans) -> None:
    rescans.launch(*(another(GOOD, n) for n in range(3)), *(another(BAD, n) for n in (7, 8)))
    rescans.run(Scope.CLUSTERS)
    forget_calls(rescans)
    rescans.launch(another(GOOD, 9))

    report = rescans.run(Scope.CLUSTERS)

    assert sorted(rescans.world.clusters.asked) == [a_name(n) for n in (7, 8, 9)]
    assert report.described == 3
    assert report.clusters == {"COMPLIANT": 4, "NON_COMPLIANT": 2}


def test_log_bucket_with_a_new_owner_is_found_by_the_next_rescan(
    rescans: Rescans,
) -> None:
    rescans.launch(GOOD)
    rescans.run(Scope.CLUSTERS)
    rescans.world.buckets.owner = "444455556666"

    report = rescans.run(Scope.CLUSTERS)

    assert [each.rule_id for each in report.difference.new] == ["EMRLOG-013"]


def test_deep_rescan_describes_every_cluster(rescans: Rescans) -> None:
    rescans.launch(*(another(GOOD, n) for n in range(3)))
    rescans.run(Scope.CLUSTERS)
    forget_calls(rescans)

    report = rescans.run(Scope.CLUSTERS, deep=True)

    assert report.described == len(rescans.world.clusters.steps_asked) == 3


def test_finding_of_a_rescan_is_alerted_and_enforced_once(rescans: Rescans) -> None:
    rescans.launch(BAD, another(GOOD, 1))

    report = rescans.run(Scope.CLUSTERS)

    assert rescans.world.kinds == ["finding.opened"]
    assert rescans.world.queue.sent  # the mode is enforce, and its grace is over
    assert [each.rule_id for each in report.difference.new] == ["EMRLOG-002"]
    assert report.compliance is Compliance.NON_COMPLIANT

    rescans.world.passes(minutes=1)
    rescans.check(CLUSTER_ID)
    again = rescans.run(Scope.CLUSTERS)

    assert rescans.world.kinds == ["finding.opened"]
    assert again.difference.new == ()
    assert [each.rule_id for each in again.difference.still_open] == ["EMRLOG-002"]
    assert again.difference.last == report.rescan.execution


def test_finding_of_a_rescan_gets_grace_and_a_schedule(rescans: Rescans) -> None:
    rescans.world.policy = a_policy(grace=timedelta(hours=1))
    rescans.launch(BAD)

    rescans.run(Scope.CLUSTERS)
    rescans.run(Scope.CLUSTERS)

    assert rescans.world.kinds == ["finding.opened", "enforcement.scheduled"]
    assert list(rescans.world.schedules.existing) == [BAD.arn]


def test_disabled_key_is_found_without_describing_unaffected_clusters(
    rescans: Rescans,
) -> None:
    world = rescans.world
    world.keys = FakeKeys({KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY})
    rescans.launch(GOOD, another(a_cluster(log_key_identifier=ANOTHER_KEY.arn), 1))
    rescans.run(Scope.CLUSTERS)
    forget_calls(rescans)
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED), ANOTHER_KEY.arn: ANOTHER_KEY}

    report = rescans.run(Scope.CLUSTERS)

    assert world.clusters.asked == [CLUSTER_ID]
    assert [each.rule_id for each in report.difference.new] == ["EMRLOG-201"]


def test_exempt_finding_is_in_the_report_and_does_not_count(rescans: Rescans) -> None:
    rescans.world.policy = a_policy(exemptions=(an_exemption(),))
    rescans.launch(BAD)

    report = rescans.run(Scope.CLUSTERS)

    assert [each.status for each in report.difference.exempt] == [Status.EXEMPT]
    [shown] = shown_exemptions(report.exemptions, report.difference.unresolved, report.finished)
    assert shown.findings == 1
    assert report.difference.open == ()
    assert report.compliance is Compliance.COMPLIANT
    assert report.clusters == {"NOT_APPLICABLE": 1}
    [[line]] = rescans.results.last_notified.values()
    assert line["compliance"] == "NOT_APPLICABLE"
    assert [finding["status"] for finding in line["findings"]] == ["EXEMPT"]
    assert rescans.world.kinds == []


def test_findings_of_a_cluster_terminated_without_an_event_are_resolved(rescans: Rescans) -> None:
    rescans.launch(BAD)
    rescans.run(Scope.CLUSTERS)
    rescans.end(CLUSTER_ID)
    rescans.world.passes(hours=1)

    report = rescans.run(Scope.CLUSTERS)

    assert report.difference.open == ()
    assert report.difference.resolved == (f"{BAD.arn}#EMRLOG-002",)
    assert rescans.world.kinds[-1] == "finding.resolved"


def test_findings_of_a_cluster_no_longer_known_to_emr_are_resolved(rescans: Rescans) -> None:
    rescans.launch(BAD)
    rescans.run(Scope.CLUSTERS)
    rescans.listing.active.clear()
    rescans.world.clusters.known.clear()
    rescans.world.passes(days=70)

    report = rescans.run(Scope.CLUSTERS)

    assert report.difference.resolved == (f"{BAD.arn}#EMRLOG-002",)
    assert report.failed == ()


def test_finding_of_a_cluster_without_a_snapshot_stays_open(rescans: Rescans) -> None:
    rescans.launch(BAD)
    rescans.run(Scope.CLUSTERS)
    rescans.listing.active.clear()
    rescans.world.clusters.known.clear()
    del rescans.world.table.items[CLUSTER_ID, "cluster"]

    report = rescans.run(Scope.CLUSTERS)

    assert [each.rule_id for each in report.difference.still_open] == ["EMRLOG-002"]


def test_cluster_read_only_for_its_log_objects_is_described_by_a_rescan_of_clusters(
    rescans: Rescans,
) -> None:
    rescans.launch(GOOD)
    rescans.run(Scope.LOG_OBJECTS)
    forget_calls(rescans)

    report = rescans.run(Scope.CLUSTERS)

    assert (report.described, rescans.world.clusters.asked) == (1, [CLUSTER_ID])


def test_cluster_whose_snapshot_was_deleted_meanwhile_is_described(rescans: Rescans) -> None:
    rescans.launch(GOOD)
    rescans.run(Scope.CLUSTERS)
    _, [shard] = rescans.planned(Scope.CLUSTERS)
    assert shard.known == (CLUSTER_ID,)
    del rescans.world.table.items[CLUSTER_ID, "cluster"]

    with rescans.results.lines("run", "part") as tell:
        done = rescans.scan.clusters(shard, tell)

    assert (done.described, done.clusters) == (1, {"COMPLIANT": 1})


def test_failed_shards_are_reported_and_make_the_result_undetermined(rescans: Rescans) -> None:
    rescans.launch(*(another(GOOD, n) for n in range(12)))

    report = rescans.run(Scope.CLUSTERS, fails={a_name(11): "ThrottlingException: Rate exceeded"})

    assert (report.shards, report.clusters) == (2, {"COMPLIANT": 10})
    [failed] = report.failed
    assert (failed.title, failed.why) == ("2 clusters", "ThrottlingException: Rate exceeded")
    assert report.compliance is Compliance.INSUFFICIENT_DATA


def test_shard_without_a_result_counts_as_failed(rescans: Rescans) -> None:
    rescans.launch(GOOD)
    rescan, _ = rescans.planned(Scope.CLUSTERS)

    answer = rescans.finish(rescan)

    assert answer["failed_shards"] == 1
    assert rescans.results.reports[0].failed[0].why == "it left no result"


def test_an_account_without_clusters_is_compliant(rescans: Rescans) -> None:
    report = rescans.run()

    assert (report.shards, report.compliance) == (0, Compliance.COMPLIANT)
    assert rescans.world.alerts.rescans == [report]


def test_observe_mode_sends_no_alert(rescans: Rescans) -> None:
    rescans.world.policy = a_policy(Mode.OBSERVE)
    rescans.launch(BAD)

    report = rescans.run(Scope.CLUSTERS)

    assert rescans.world.journal == []
    assert report.difference.new


def test_second_rescan_is_refused_while_one_is_running(rescans: Rescans) -> None:
    first, second = (RescanRequest(f"{MACHINE}:{name}") for name in ("a", "b"))
    rescans.executions.going = {first.execution}
    assert "refused" not in rescans.plan(first)

    answer = rescans.plan(second)

    assert answer == {
        "refused": f"a re-scan is running: {first.execution}; "
        "wait until it has finished, or stop it"
    }
    assert "refused" not in rescans.plan(first)  # tried again
    rescans.executions.going = set()
    assert "refused" not in rescans.plan(second)


def test_only_one_of_two_rescans_takes_over_an_abandoned_lease(rescans: Rescans) -> None:
    dead, quick, slow = (RescanRequest(f"{MACHINE}:{name}") for name in ("dead", "quick", "slow"))
    rescans.plan(dead)
    rescans.executions.going = {quick.execution}
    look = rescans.executions.running

    def quick_meanwhile(execution: str) -> bool:
        if execution == dead.execution:
            rescans.executions.running = look  # type: ignore[method-assign]
            assert "refused" not in rescans.plan(quick)
        return look(execution)

    rescans.executions.running = quick_meanwhile  # type: ignore[method-assign]

    answer = rescans.plan(slow)

    assert quick.execution in str(answer["refused"])


def test_shard_result_has_a_line_for_each_cluster(rescans: Rescans) -> None:
    rescans.launch(BAD, another(GOOD, 1))

    rescans.run(Scope.CLUSTERS)

    [lines] = rescans.results.last_notified.values()
    assert [(each["cluster_id"], each["state"], each["compliance"]) for each in lines] == [
        (CLUSTER_ID, "RUNNING", "NON_COMPLIANT"),
        (a_name(1), "RUNNING", "COMPLIANT"),
    ]
    assert [finding["rule_id"] for finding in lines[0]["findings"]] == ["EMRLOG-002"]


def test_log_bucket_with_an_open_finding_is_rechecked_and_not_counted_as_a_cluster(
    rescans: Rescans,
) -> None:
    rescans.launch(GOOD)
    rescans.world.buckets.sending = False
    first = rescans.run(Scope.CLUSTERS)
    rescans.world.passes(minutes=10)
    second = rescans.run(Scope.CLUSTERS)
    rescans.world.passes(minutes=10)
    rescans.world.buckets.sending = True
    third = rescans.run(Scope.CLUSTERS)

    assert first.clusters == second.clusters == third.clusters == {"COMPLIANT": 1}
    assert [finding.rule_id for finding in second.difference.open] == ["EMRLOG-009"]
    assert (second.compliance, third.compliance) == ("NON_COMPLIANT", "COMPLIANT")
    assert third.difference.resolved == ("arn:aws:s3:::example-logs#EMRLOG-009",)
