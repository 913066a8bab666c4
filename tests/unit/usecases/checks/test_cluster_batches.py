"""Batches of queued events: one check a cluster, and what fails fails alone."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import cycle
from threading import Event
from typing import Any

import pytest

from emr_log_guard.adapters.errors import RateLimitedError, unresolved
from emr_log_guard.adapters.rate_limiter import Limit, RateLimiter
from emr_log_guard.domain.clusters import Cluster, Step, StepState
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.emr_rates import CHECK_ENVIRONMENTS, check_rates, rechecks_per_review
from emr_log_guard.domain.finding_record import FIRST_READ, UNREAD_QUIET
from emr_log_guard.domain.keys import KeyState
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import TemporarilyUnavailableError
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.events.sqs import each_body_then
from emr_log_guard.observability import metrics
from emr_log_guard.usecases.checks.cluster import (
    BATCH_SECONDS,
    STEPS_SECONDS,
    CheckCluster,
    CheckClusters,
    ClusterChecked,
)
from tests.template.stack import Stack
from tests.unit.builders import AWS_MANAGED, CLUSTER_ID, KEY, NOW, a_cluster, a_key, a_policy
from tests.unit.fakes import FakeClusters
from tests.unit.usecases.world import World

ADA = "arn:aws:iam::111122223333:user/ada"
ATTEMPTS = Stack().of_type("AWS::SQS::Queue")["ClusterEventsQueue"]["RedrivePolicy"][
    "maxReceiveCount"
]
STEP = Step("s-OWN", "own", None, AWS_MANAGED.arn, StepState.RUNNING)
THROTTLED = Unresolved("elasticmapreduce:ListSteps answered ThrottlingException", transient=True)
LIMITED = replace(THROTTLED, reason="ListSteps was not called", rate_limited=True)


def about(cluster_id: str, **fields: Any) -> ClusterCheckRequest:  # noqa: ANN401 - of a request
    return ClusterCheckRequest(cluster_id, **fields)


def clusters(world: World, *ids: str) -> None:
    known = a_cluster(log_key_identifier=None)
    world.clusters.known = {
        each: replace(known, id=each, arn=known.arn.replace(CLUSTER_ID, each)) for each in ids
    }


def batch(world: World) -> CheckClusters:
    return CheckClusters(world.check_cluster, world.clock, timer=lambda: 0)


def with_clusters(world: World, clusters: "Failing | Outage") -> CheckCluster:
    """Wire a check whose descriptions may fail."""
    first_reads = FakeClusters()
    first_reads.describe = clusters.describe  # type: ignore[method-assign]
    first_reads.all_steps = world.clusters.all_steps  # type: ignore[method-assign]
    return replace(world.check_cluster, clusters=clusters, first_reads=first_reads)


def test_fifty_events_of_one_cluster_cause_one_check(world: World) -> None:
    clusters(world, "j-1")

    assert batch(world).check([about("j-1")] * 50) == []

    assert world.clusters.asked == world.clusters.steps_asked == ["j-1"]
    assert world.kinds == ["finding.opened"]


def test_requests_for_one_cluster_are_merged() -> None:
    requests = [
        about("j-1", at=NOW),
        about("j-1", launched_by=ADA, at=NOW - timedelta(minutes=1)),
        about("j-1", force_refresh=True),
    ]

    assert ClusterCheckRequest.merged(requests) == about(
        "j-1",
        launched_by=ADA,
        force_refresh=True,
        at=NOW - timedelta(minutes=1),
    )


def test_clusters_announced_by_events_are_checked_before_rechecks_and_oldest_first(
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


class Journaled(FakeClusters):
    """Clusters that are read in an order that matters."""

    def describe(self, cluster_id: str) -> Cluster:
        self.journal.append(f"describe {cluster_id}")
        return super().describe(cluster_id)

    def all_steps(
        self, cluster_id: str, wanted: Sequence[str] = ()
    ) -> tuple[Step, ...] | Unresolved:
        self.journal.append(f"list steps of {cluster_id}")
        return super().all_steps(cluster_id, wanted)

    def new_steps(
        self, cluster_id: str, wanted: Sequence[str], known: Collection[str]
    ) -> tuple[Step, ...] | Unresolved:
        self.journal.append(f"list steps of {cluster_id}")
        return super().new_steps(cluster_id, wanted, known)


@pytest.fixture
def journaled(world: World) -> World:
    """Three clusters that were just launched without a log key."""
    world.clusters = Journaled(journal=world.journal)
    clusters(world, "j-1", "j-2", "j-3")
    world.policy = a_policy(Mode.ALERT)
    return world


def launches(*ids: str) -> list[ClusterCheckRequest]:
    return [about(each, by_event=True, at=NOW + timedelta(seconds=n)) for n, each in enumerate(ids)]


def test_every_cluster_of_a_batch_is_alerted_before_steps_are_listed(
    journaled: World,
) -> None:
    assert batch(journaled).check(launches("j-1", "j-2", "j-3")) == []

    alerted = "publish finding.opened"
    assert journaled.journal == [
        *("describe j-1", alerted, "describe j-2", alerted, "describe j-3", alerted),
        *(f"list steps of {each}" for each in ("j-1", "j-2", "j-3")),
    ]


def test_steps_of_a_single_cluster_are_in_its_first_alert(journaled: World) -> None:
    journaled.keys.facts = {AWS_MANAGED.arn: AWS_MANAGED}
    journaled.clusters.listed = (STEP,)

    assert batch(journaled).check(launches("j-1")) == []

    [alert] = journaled.alerts.published
    assert [each.rule_id for each in alert.findings] == ["EMRLOG-002", "EMRLOG-008"]


def test_step_listed_afterwards_is_alerted_without_describing_the_cluster_again(
    journaled: World,
) -> None:
    journaled.keys.facts = {AWS_MANAGED.arn: AWS_MANAGED}
    journaled.clusters.listed = (STEP,)

    assert batch(journaled).check(launches("j-1", "j-2")) == []

    assert journaled.clusters.asked == ["j-1", "j-2"]
    assert [[f.rule_id for f in alert.findings] for alert in journaled.alerts.published] == [
        *(["EMRLOG-002"], ["EMRLOG-002"], ["EMRLOG-008"], ["EMRLOG-008"])
    ]


def test_finding_about_steps_is_not_recorded_before_they_are_listed(
    journaled: World,
) -> None:
    journaled.clusters.listed = THROTTLED
    requests = launches("j-1", "j-2")
    times = iter([0, 0, 0, 0, STEPS_SECONDS])

    again = replace(batch(journaled), timer=lambda: next(times)).check(requests)

    assert again == requests
    assert journaled.clusters.steps_asked == ["j-1"]
    assert {*journaled.repository.read("j-2").records} == {"EMRLOG-002"}
    assert "EMRLOG-008" in journaled.repository.read("j-1").records


def test_launches_are_described_before_steps_of_events_are_listed(journaled: World) -> None:
    batch(journaled).check(launches("j-1"))
    journaled.journal.clear()
    step = about("j-1", by_event=True, at=NOW - timedelta(hours=1), step_ids=("s-1",))

    batch(journaled).check([step, *launches("j-2")])

    assert journaled.journal == [
        *("describe j-2", "publish finding.opened"),
        *("list steps of j-1", "list steps of j-2"),
    ]


def test_only_the_first_description_and_list_of_a_cluster_use_the_first_reads(world: World) -> None:
    clusters(world, "j-1", "j-2")
    first = FakeClusters(*world.clusters.known.values())
    check = replace(batch(world), check_cluster=replace(world.check_cluster, first_reads=first))

    check.check(launches("j-1", "j-2"))
    world.clusters.listed = (Step("s-1", "step"),)
    check.check([about("j-1", by_event=True, step_ids=("s-1",))])
    check.check([about("j-2", force_refresh=True)])

    assert first.asked == first.steps_asked == ["j-1", "j-2"]
    assert world.clusters.asked == ["j-2"]
    assert world.clusters.steps_asked == ["j-1 page 1", "j-2 page 1"]


def test_concurrent_invocations_describe_a_cluster_once(
    world: World,
) -> None:
    clusters(world, "j-1")
    [launch] = launches("j-1")
    others: list[list[ClusterCheckRequest]] = []

    def check_too() -> None:
        others.append(batch(world).check([launch]))

    describe = world.clusters.describe

    def described(cluster_id: str) -> Cluster:
        check_too()
        return describe(cluster_id)

    first = FakeClusters(*world.clusters.known.values())
    first.describe = described  # type: ignore[method-assign]
    check = replace(batch(world), check_cluster=replace(world.check_cluster, first_reads=first))

    assert check.check([launch]) == []
    assert others == [[launch]]
    assert world.clusters.asked == ["j-1"]

    assert batch(world).check([launch]) == []
    assert world.clusters.asked == ["j-1"]


def test_failed_first_read_is_repeated_after_its_lease(
    world: World,
) -> None:
    clusters(world, "j-1")
    [launch] = launches("j-1")
    dying = Failing(world, **{"1": TemporarilyUnavailableError("EMR throttles")})
    check = replace(batch(world), check_cluster=with_clusters(world, dying))
    assert check.check([launch]) == [launch]

    assert batch(world).check([launch]) == [launch]
    world.now += FIRST_READ
    assert batch(world).check([launch]) == []

    assert world.clusters.asked == ["j-1"]


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
def test_failed_cluster_fails_only_its_own_messages(
    world: World, error: Exception, failures: list[int] | None
) -> None:
    clusters(world, "j-GOOD", "j-BAD")
    bad = Failing(world, BAD=error)
    check = replace(batch(world), check_cluster=with_clusters(world, bad))
    messages = [about("j-BAD"), about("j-GOOD"), about("j-BAD", launched_by=ADA)]

    assert check.check(messages) == [messages[0], messages[2]]

    assert world.clusters.asked == ["j-GOOD"]
    measured = metrics.metric_set.get("MessagesFailed")
    assert (measured and measured["Value"]) == failures


def test_age_of_the_oldest_unchecked_event_is_measured(world: World) -> None:
    clusters(world, "j-1")
    busy = Failing(world, **{"1": TemporarilyUnavailableError("EMR throttles")})
    check = replace(batch(world), check_cluster=with_clusters(world, busy))

    check.check(
        [
            about("j-1", at=NOW - timedelta(seconds=7)),
            about("j-1", at=NOW - timedelta(seconds=90)),
            about("j-1", at=NOW - timedelta(hours=1), force_refresh=True),
        ]
    )

    assert metrics.metric_set["OldestUncheckedLaunch"]["Value"] == [90]


def test_checks_beyond_the_time_limit_return_to_the_queue(world: World) -> None:
    clusters(world, "j-1", "j-2")
    times = iter([0, 0, BATCH_SECONDS])
    requests = [about("j-1", at=NOW), about("j-2")]

    again = replace(batch(world), timer=lambda: next(times)).check(requests)

    assert again == [requests[1]]
    assert world.clusters.asked == ["j-1"]


def test_throttled_steps_do_not_delay_other_alerts_and_are_read_again(world: World) -> None:
    clusters(world, "j-1")
    world.clusters.listed = THROTTLED
    request = about("j-1")

    assert batch(world).check([request]) == [request]
    assert [f.rule_id for a in world.alerts.published for f in a.findings] == ["EMRLOG-002"]

    world.clusters.listed = ()
    world.passes(minutes=1)
    assert batch(world).check([request]) == []
    assert world.kinds == ["finding.opened"]


def test_steps_throttled_for_half_an_hour_cause_an_alert_and_no_further_retry(world: World) -> None:
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


@pytest.mark.parametrize("by_event", [True, False], ids=["event", "re-check"])
def test_steps_that_the_own_limit_keeps_from_being_read_are_never_reported_as_unreadable(
    world: World, *, by_event: bool
) -> None:
    clusters(world, "j-1")
    world.clusters.listed = LIMITED
    request = about("j-1", by_event=by_event, force_refresh=not by_event)

    for _ in range(5):
        assert batch(world).check([request]) == [request]
        world.now += UNREAD_QUIET
    assert {*world.repository.read("j-1").records} == {"EMRLOG-002"}
    assert world.kinds == ["finding.opened"]

    world.clusters.listed = (STEP,)
    assert batch(world).check([request]) == []
    assert {*world.repository.read("j-1").records} == {"EMRLOG-002", "EMRLOG-008"}


def test_result_of_a_check_that_the_own_limit_keeps_from_listing_steps_is_not_compliant(
    world: World,
) -> None:
    world.clusters.listed = LIMITED

    summary = world.check_cluster(about(CLUSTER_ID)).summary()

    assert summary["compliance"] == "INSUFFICIENT_DATA"
    assert world.records == {}


def test_sessions_that_the_own_limit_keeps_from_being_read_are_never_reported_as_unreadable(
    world: World,
) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(sessions_enabled=True)}
    world.clusters.listed_sessions = LIMITED
    request = about(CLUSTER_ID)

    for _ in range(2):
        assert batch(world).check([request]) == [request]
        world.now += UNREAD_QUIET
    assert world.records == {}

    world.clusters.listed_sessions = ()
    assert batch(world).check([request]) == []


def test_re_check_that_may_not_list_steps_evaluates_the_known_ones(world: World) -> None:
    world.clusters.listed = (STEP,)
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    batch(world).check([about(CLUSTER_ID, by_event=True)])
    world.clusters.listed = LIMITED
    disabled = a_key(state=KeyState.DISABLED)
    world.keys.facts = {KEY.arn: disabled, AWS_MANAGED.arn: AWS_MANAGED}
    request = about(CLUSTER_ID, force_refresh=True)

    assert batch(world).check([request]) == []

    found = [f.rule_id for a in world.alerts.published for f in a.findings]
    assert found == ["EMRLOG-008", "EMRLOG-201"]
    assert world.records["EMRLOG-008"].open


def test_re_check_that_may_not_list_steps_leaves_an_unknown_one_to_its_event(world: World) -> None:
    batch(world).check([about(CLUSTER_ID, by_event=True)])
    world.clusters.listed = LIMITED
    request = about(CLUSTER_ID, force_refresh=True)
    new = about(CLUSTER_ID, by_event=True, step_ids=("s-NEW",))

    assert batch(world).check([request, new]) == [new]
    assert world.records == {}


@pytest.mark.parametrize("unread", [LIMITED, THROTTLED], ids=["limited", "throttled"])
def test_unread_step_does_not_have_the_events_of_known_steps_delivered_again(
    world: World, unread: Unresolved
) -> None:
    world.clusters.listed = (Step("s-OLD", "old"),)
    batch(world).check([about(CLUSTER_ID, by_event=True)])
    world.clusters.listed = unread
    known = about(CLUSTER_ID, by_event=True, step_ids=("s-OLD",))
    new = about(CLUSTER_ID, by_event=True, step_ids=("s-NEW",))
    state = about(CLUSTER_ID, by_event=True, state="WAITING")

    again = batch(world).check([known, new, state])

    recorded = [known, new, state]  # as unreadable, which alerts if it lasts
    assert again == ([new] if unread.rate_limited else recorded)
    assert world.kinds == []


def test_unread_sessions_have_all_events_delivered_again(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(sessions_enabled=True)}
    batch(world).check([about(CLUSTER_ID, by_event=True)])
    world.clusters.listed, world.clusters.listed_sessions = LIMITED, LIMITED
    state = about(CLUSTER_ID, by_event=True, state="WAITING")
    new = about(CLUSTER_ID, by_event=True, step_ids=("s-NEW",))

    assert batch(world).check([state, new]) == [state, new]


def test_denied_access_to_steps_causes_an_alert_at_once(world: World) -> None:
    world.clusters.listed = Unresolved("elasticmapreduce:ListSteps answered AccessDeniedException")

    assert batch(world).check([about(CLUSTER_ID)]) == []

    assert world.kinds == ["finding.opened"]


class Queue:
    """Delivers what failed again, after the delay that is asked for, to `check_cluster`."""

    def __init__(self, world: World, *bodies: object) -> None:
        self.world = world
        self.waiting = [(world.now, json.dumps(body), 0) for body in bodies]
        self.dead: list[str] = []

    def deliver(self, check: CheckClusters) -> None:
        """Deliver until nothing is left, or dead, as time passes."""
        while self.waiting:
            self.world.now = max(self.world.now, min(at for at, *_ in self.waiting))
            due = [each for each in self.waiting if each[0] <= self.world.now]
            self.waiting = [each for each in self.waiting if each[0] > self.world.now]
            for at in range(0, len(due), 10):
                self._batch(check, due[at : at + 10])

    def _batch(self, check: CheckClusters, due: list[tuple[datetime, str, int]]) -> None:
        records = [
            {
                "messageId": str(place),
                "receiptHandle": str(place),
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives + 1)},
            }
            for place, (_, body, receives) in enumerate(due)
        ]

        def postpone(seconds: Mapping[str, int]) -> None:
            for receipt, hidden in seconds.items():
                _, body, receives = due[int(receipt)]
                if receives + 1 == ATTEMPTS:
                    self.dead.append(body)
                else:
                    again = self.world.now + timedelta(seconds=hidden)
                    self.waiting.append((again, body, receives + 1))

        each_body_then(
            {"Records": records}, check.read, check.check, postpone, ClusterCheckRequest.may_wait
        )


def launched(cluster_id: str) -> dict[str, Any]:
    return {
        "source": "aws.emr",
        "detail-type": "EMR Cluster State Change",
        "time": NOW.isoformat(),
        "detail": {"clusterId": cluster_id, "state": "STARTING"},
    }


def recheck(cluster_id: str) -> dict[str, Any]:
    return {
        "source": "emr-log-guard",
        "detail-type": "Recheck Requested",
        "time": NOW.isoformat(),
        "detail": {"stack": "guard", "cluster_id": cluster_id},
    }


IDS = tuple(f"j-{number}" for number in range(50))


class Limited(FakeClusters):
    """An environment's reads of EMR, within the guard's share of the quotas."""

    def __init__(self, world: World, share: float) -> None:
        super().__init__(*world.clusters.known.values())
        self.limiters = {
            action: RateLimiter(Event(), Limit(rate, patience=0), lambda: world.clock().timestamp())
            for action, rate in check_rates(share).items()
        }

    def describe(self, cluster_id: str) -> Cluster:
        try:
            self.limiters["DescribeCluster"].wait()
        except RateLimitedError as error:
            raise TemporarilyUnavailableError(str(error)) from error
        return super().describe(cluster_id)

    def all_steps(
        self, cluster_id: str, wanted: Sequence[str] = ()
    ) -> tuple[Step, ...] | Unresolved:
        return self._limit(cluster_id) or super().all_steps(cluster_id, wanted)

    def new_steps(
        self, cluster_id: str, wanted: Sequence[str], known: Collection[str]
    ) -> tuple[Step, ...] | Unresolved:
        return self._limit(cluster_id) or super().new_steps(cluster_id, wanted, known)

    def _limit(self, cluster_id: str) -> Unresolved | None:
        try:
            self.limiters["ListSteps"].wait()
        except RateLimitedError as error:
            return unresolved("elasticmapreduce:ListSteps", cluster_id, error)
        return None


def within_the_share(
    world: World, share: float, queue: Queue
) -> tuple[tuple[Limited, ...], timedelta]:
    """Deliver all messages to environments that keep to a share; return how long that takes."""
    began = world.now
    environments = tuple(Limited(world, share) for _ in range(CHECK_ENVIRONMENTS))
    turns = cycle(environments)

    def check(request: ClusterCheckRequest, *_: object, **__: object) -> ClusterChecked:
        reads = next(turns)
        world.passes(seconds=0.02)
        return replace(world.check_cluster, clusters=reads, workloads=reads)(request)

    # It is only called, as the real one.
    queue.deliver(CheckClusters(check, world.clock, timer=lambda: 0))  # type: ignore[arg-type]
    return environments, world.now - began


def test_re_checks_of_a_review_are_all_made_before_the_next_review(world: World) -> None:
    share = 0.5
    ids = [f"j-{number}" for number in range(rechecks_per_review(share))]
    clusters(world, *ids)
    queue = Queue(world, *map(recheck, ids))

    _, took = within_the_share(world, share, queue)

    assert queue.dead == []
    assert took < timedelta(hours=1)
    found = [(f.cluster_id, f.rule_id) for a in world.alerts.published for f in a.findings]
    assert sorted(found) == sorted((each, "EMRLOG-002") for each in ids)


def test_lost_key_of_many_clusters_is_alerted_for_each_after_one_description(
    world: World,
) -> None:
    """At the default share these are 1,250 clusters, as many a second."""
    share, ids = 0.04, [f"j-{number}" for number in range(100)]
    clusters(world, *ids)
    known = world.clusters.known.items()
    world.clusters.known = {
        each: replace(cluster, log_key_identifier=KEY.arn, state="WAITING")
        for each, cluster in known
    }
    for each in ids:
        world.check_cluster(about(each, by_event=True))
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED)}
    queue = Queue(world, *map(recheck, ids))

    environments, took = within_the_share(world, share, queue)

    assert queue.dead == []
    assert took < timedelta(hours=2)
    assert sum(len(each.asked) for each in environments) == len(ids)
    found = [(f.cluster_id, f.rule_id) for a in world.alerts.published for f in a.findings]
    assert sorted(found) == sorted((each, "EMRLOG-201") for each in ids)


class Outage:
    """EMR refuses everything until some time has passed."""

    def __init__(self, world: World, lasts: timedelta) -> None:
        self.world, self.ends = world, world.now + lasts

    def describe(self, cluster_id: str) -> Cluster:
        if self.world.now < self.ends:
            message = "elasticmapreduce:DescribeCluster answered ThrottlingException"
            raise TemporarilyUnavailableError(message)
        return self.world.clusters.describe(cluster_id)


def test_emr_outage_of_ten_minutes_loses_no_alert_and_causes_no_false_one(
    world: World,
) -> None:
    clusters(world, *IDS)
    good = set(IDS[::2])
    world.clusters.known = {
        each: replace(cluster, log_key_identifier=KEY.arn if each in good else None)
        for each, cluster in world.clusters.known.items()
    }
    outage = Outage(world, timedelta(minutes=10))
    queue = Queue(world, *map(launched, IDS))

    queue.deliver(replace(batch(world), check_cluster=with_clusters(world, outage)))

    assert queue.dead == []
    alerted = [(f.cluster_id, f.compliance) for a in world.alerts.published for f in a.findings]
    assert sorted(alerted) == sorted((each, "NON_COMPLIANT") for each in IDS if each not in good)
    assert world.now < NOW + timedelta(minutes=12)


def test_emr_outage_of_more_than_half_an_hour_leads_to_a_dead_letter(world: World) -> None:
    outage = Outage(world, timedelta(days=1))
    queue = Queue(world, launched("j-1"))

    queue.deliver(replace(batch(world), check_cluster=with_clusters(world, outage)))

    assert len(queue.dead) == 1
    assert world.now >= NOW + UNREAD_QUIET
    assert world.kinds == []


def test_throttled_findings_table_loses_no_alert(world: World) -> None:
    clusters(world, *IDS[:5])
    world.table.failure = ConnectionError("DynamoDB throttles")
    queue = Queue(world, *map(launched, IDS[:5]))
    check = replace(batch(world), timer=lambda: recover(world))

    queue.deliver(check)

    assert queue.dead == []
    assert world.kinds == ["finding.opened"] * 5


def test_findings_table_that_is_throttled_during_an_emr_outage_loses_no_alert(
    world: World,
) -> None:
    clusters(world, *IDS[:5])
    outage = Outage(world, timedelta(minutes=3))
    world.table.failure = ConnectionError("DynamoDB throttles")
    queue = Queue(world, *map(launched, IDS[:5]))
    check_cluster = with_clusters(world, outage)

    queue.deliver(CheckClusters(check_cluster, world.clock, timer=lambda: recover(world)))

    assert queue.dead == []
    assert world.kinds == ["finding.opened"] * 5


def test_launch_of_a_cluster_that_emr_no_longer_knows_is_the_only_dead_letter(
    world: World,
) -> None:
    clusters(world, "j-1", "j-2")
    queue = Queue(world, *map(launched, ("j-1", "j-GONE", "j-2")))

    queue.deliver(batch(world))

    assert queue.dead == [json.dumps(launched("j-GONE"))]
    assert world.kinds == ["finding.opened"] * 2


def recover(world: World) -> float:
    """Have the table answer again after five minutes."""
    if world.now >= NOW + timedelta(minutes=5):
        world.table.failure = None
    return 0


def test_invalid_event_among_fifty_is_the_only_dead_letter(world: World) -> None:
    clusters(world, *IDS)
    poison = {"source": "aws.emr", "detail-type": "EMR Cluster State Change", "detail": {}}
    queue = Queue(world, *map(launched, IDS[:25]), poison, *map(launched, IDS[25:]))

    queue.deliver(batch(world))

    assert queue.dead == [json.dumps(poison)]
    assert world.clusters.asked == [*IDS]
    assert len(world.alerts.published) == len(IDS)


def test_cluster_terminated_before_its_launch_event_is_read_is_alerted_and_resolved(
    world: World,
) -> None:
    clusters(world, "j-1")
    world.clusters.known = {
        "j-1": replace(world.clusters.known["j-1"], state="TERMINATED_WITH_ERRORS")
    }
    terminated = launched("j-1")
    terminated["detail"]["state"] = "TERMINATED_WITH_ERRORS"

    for event in (launched("j-1"), terminated):
        Queue(world, event).deliver(batch(world))

    assert world.kinds == ["finding.opened", "finding.resolved"]
    assert world.clusters.asked == ["j-1"]


def test_concurrent_checks_of_one_cluster_cause_one_alert(world: World) -> None:
    """The other one begins and ends while this one is about to write."""
    clusters(world, "j-1")
    other = Queue(world, launched("j-1"))
    world.table.before_put = [lambda: other.deliver(batch(world))]

    Queue(world, launched("j-1")).deliver(batch(world))

    assert world.table.before_put == []
    assert world.kinds == ["finding.opened"]
    assert other.dead == []
