"""Random checks, policy edits, exemptions and time against the one promise that matters most:
no cluster ends that the policy of that moment would not end, nor before its time."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.errors import AlertUnderWayError
from tests.unit.builders import CLUSTER_ID, a_cluster, a_policy, an_exemption
from tests.unit.usecases.world import World

BAD = a_cluster(log_key_identifier=None)
GRACES = (timedelta(0), timedelta(minutes=30), timedelta(hours=4))


class Enforcement(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(policy=a_policy(Mode.ALERT))
        self.world.clusters.known = {CLUSTER_ID: BAD}
        self.bad_since: datetime | None = None
        self.world.clusters.terminate = self.terminate  # type: ignore[method-assign]
        self.ended = 0

    def terminate(self, cluster_id: str) -> None:
        policy, now = self.world.policy, self.world.now
        assert policy.mode is Mode.ENFORCE
        assert policy.enforcement.allowed
        assert policy.exemptions == ()
        assert self.world.clusters.known[cluster_id].log_key_identifier is None
        assert self.bad_since is not None
        assert now >= self.bad_since + policy.enforcement.grace_running
        self.ended += 1

    @rule()
    def check(self) -> None:
        with suppress(AlertUnderWayError):
            self.world.check()
        bad = self.world.clusters.known[CLUSTER_ID].log_key_identifier is None
        entry = self.world.entries.get("EMRLOG-002")
        if entry is None or not entry.open:
            self.bad_since = None
        elif bad and self.bad_since is None:
            self.bad_since = self.world.now

    @rule(bad=st.booleans())
    def what_emr_says_changes(self, *, bad: bool) -> None:
        self.world.clusters.known = {CLUSTER_ID: BAD if bad else a_cluster()}

    @rule(mode=st.sampled_from(Mode), grace=st.sampled_from(GRACES), exempt=st.booleans())
    def policy_is_edited(self, mode: Mode, grace: timedelta, *, exempt: bool) -> None:
        exemptions = (an_exemption(),) if exempt else ()
        self.world.policy = a_policy(mode, grace=grace, exemptions=exemptions)

    @rule(seconds=st.sampled_from([1, 60, 600, 1800, 7200, 14_400]))
    def time_passes(self, seconds: int) -> None:
        self.world.passes(seconds=seconds)

    @rule()
    def what_was_asked_for_arrives(self) -> None:
        requests, self.world.queue.sent = self.world.queue.sent, []
        due = [s for s in self.world.schedules.standing.values() if s.at <= self.world.now]
        for schedule in due:
            del self.world.schedules.standing[schedule.request.cluster_arn]
        for request in (*requests, *(schedule.request for schedule in due)):
            self.world.enforce(replace(request, verify=False))

    @rule()
    def somebody_forges_a_request(self) -> None:
        self.world.enforce(RequestEnforcement(BAD.arn))

    @invariant()
    def a_schedule_stands_only_where_people_were_told_of_it(self) -> None:
        entry = self.world.entries.get("EMRLOG-002")
        told = entry.told.deadline if entry and entry.told else None
        for schedule in self.world.schedules.standing.values():
            assert schedule.at == told

    def teardown(self) -> None:
        """Whatever happened: a cluster that stays bad is ended in the end, if that is wanted."""
        self.world.clusters.known = {CLUSTER_ID: BAD}
        self.world.policy = a_policy(grace=timedelta(minutes=30))
        for _ in range(3):
            self.world.passes(minutes=31)
            self.check()
            self.what_was_asked_for_arrives()
        assert self.ended


Enforcement.TestCase.settings = settings(max_examples=80, stateful_step_count=25)
TestEnforcement = Enforcement.TestCase
