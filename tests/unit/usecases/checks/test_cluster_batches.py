"""Batches of queued events: one check a cluster, and what fails fails alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.finding_record import UNREAD_QUIET
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import TemporarilyUnavailableError
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.observability import metrics
from emr_log_guard.usecases.checks.cluster import BATCH_SECONDS, CheckClusters
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster
from tests.unit.usecases.world import World

ADA = "arn:aws:iam::111122223333:user/ada"
THROTTLED = Unresolved("elasticmapreduce:ListSteps answered ThrottlingException", transient=True)


def about(cluster_id: str, **fields: Any) -> ClusterCheckRequest:  # noqa: ANN401 - of a request
    return ClusterCheckRequest(cluster_id, **fields)


def clusters(world: World, *ids: str) -> None:
    known = a_cluster(log_key_identifier=None)
    world.clusters.known = {
        each: replace(known, id=each, arn=known.arn.replace(CLUSTER_ID, each)) for each in ids
    }


def batch(world: World) -> CheckClusters:
    return CheckClusters(world.check_cluster, world.clock, timer=lambda: 0)


def test_fifty_events_of_one_cluster_are_one_check(world: World) -> None:
    clusters(world, "j-1")

    assert batch(world).check([about("j-1")] * 50) == []

    assert world.clusters.asked == world.clusters.steps_asked == ["j-1"]
    assert world.kinds == ["finding.opened"]


def test_requests_for_a_cluster_are_merged() -> None:
    requests = [
        about("j-1", at=NOW),
        about("j-1", launched_by=ADA, at=NOW - timedelta(minutes=1)),
        about("j-1", force_refresh=True),
    ]

    assert ClusterCheckRequest.merged(requests) == about(
        "j-1", launched_by=ADA, force_refresh=True, at=NOW - timedelta(minutes=1)
    )


def test_what_events_announce_is_checked_before_what_is_re_checked_and_the_oldest_first(
    world: World,
) -> None:
    clusters(world, "j-1", "j-2", "j-3", "j-4")

    batch(world).check(
        [
            about("j-1", force_refresh=True, at=NOW - timedelta(hours=1)),
            about("j-2"),
            about("j-3", at=NOW),
            about("j-4", at=NOW - timedelta(seconds=1)),
        ]
    )

    assert world.clusters.asked == ["j-4", "j-3", "j-2", "j-1"]


class Failing:
    """Describes clusters, except some that fail."""

    def __init__(self, world: World, **errors: Exception) -> None:
        self.describe_others = world.clusters.describe
        self.errors = errors

    def describe(self, cluster_id: str) -> Cluster:
        if error := self.errors.get(cluster_id.removeprefix("j-")):
            raise error
        return self.describe_others(cluster_id)


@pytest.mark.parametrize(
    ("error", "failures"),
    [(ValueError("it is broken"), [2]), (TemporarilyUnavailableError("EMR throttles"), None)],
)
def test_a_cluster_that_fails_fails_its_own_messages_and_no_others(
    world: World, error: Exception, failures: list[int] | None
) -> None:
    clusters(world, "j-GOOD", "j-BAD")
    bad = Failing(world, BAD=error)
    check = replace(batch(world), check_cluster=replace(world.check_cluster, clusters=bad))
    messages = [about("j-BAD"), about("j-GOOD"), about("j-BAD", launched_by=ADA)]

    assert check.check(messages) == [messages[0], messages[2]]

    assert world.clusters.asked == ["j-GOOD"]
    measured = metrics.metric_set.get("MessagesFailed")
    assert (measured and measured["Value"]) == failures


def test_the_oldest_event_that_was_not_checked_is_measured(world: World) -> None:
    clusters(world, "j-1")
    busy = Failing(world, **{"1": TemporarilyUnavailableError("EMR throttles")})
    check = replace(batch(world), check_cluster=replace(world.check_cluster, clusters=busy))

    check.check(
        [
            about("j-1", at=NOW - timedelta(seconds=7)),
            about("j-1", at=NOW - timedelta(seconds=90)),
            about("j-1", at=NOW - timedelta(hours=1), force_refresh=True),
        ]
    )

    assert metrics.metric_set["OldestUncheckedLaunch"]["Value"] == [90]


def test_checks_that_there_is_no_time_for_go_back_to_the_queue(world: World) -> None:
    clusters(world, "j-1", "j-2")
    times = iter([0, 0, BATCH_SECONDS])
    requests = [about("j-1", at=NOW), about("j-2")]

    again = replace(batch(world), timer=lambda: next(times)).check(requests)

    assert again == [requests[1]]
    assert world.clusters.asked == ["j-1"]


def test_steps_that_emr_throttles_delay_no_alert_and_are_read_again(world: World) -> None:
    clusters(world, "j-1")
    world.clusters.listed = THROTTLED
    request = about("j-1")

    assert batch(world).check([request]) == [request]
    assert [f.rule_id for a in world.alerts.published for f in a.findings] == ["EMRLOG-002"]

    world.clusters.listed = ()
    world.passes(minutes=1)
    assert batch(world).check([request]) == []
    assert world.kinds == ["finding.opened"]


def test_steps_that_emr_throttles_for_half_an_hour_alert_and_are_done_with(world: World) -> None:
    world.clusters.listed = THROTTLED
    request = about(CLUSTER_ID)
    assert batch(world).check([request]) == [request]
    world.now += UNREAD_QUIET - timedelta(seconds=1)
    assert batch(world).check([request]) == [request]
    assert world.kinds == []

    world.passes(seconds=1)
    assert batch(world).check([request]) == []

    [alert] = world.alerts.published
    assert [(f.rule_id, f.compliance) for f in alert.findings] == [
        ("EMRLOG-008", "INSUFFICIENT_DATA")
    ]


def test_access_that_is_denied_alerts_at_once(world: World) -> None:
    world.clusters.listed = Unresolved("elasticmapreduce:ListSteps answered AccessDeniedException")

    assert batch(world).check([about(CLUSTER_ID)]) == []

    assert world.kinds == ["finding.opened"]
