"""Random checks, policy edits, exemptions, crashes and time against the one promise that matters
most: no cluster ends that the policy of that moment would not end, nor before its time; and whose
end is told as the guard's doing that is."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emr_log_guard.domain.compliance import Mode, Severity
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep, RequestEnforcement
from emr_log_guard.domain.policy import (
    DEFAULT_ENFORCED_RULES,
    ClusterMatch,
    Enforcement,
    Policy,
    RuleSettings,
    TerminationProtection,
)
from emr_log_guard.errors import AlertUnderWayError, TerminationInProgressError
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, an_exemption
from tests.unit.usecases.world import World

RULE = "EMRLOG-002"
BAD = a_cluster(log_key_identifier=None, tags={"team": "research"})
GRACES = st.sampled_from([timedelta(0), timedelta(minutes=30), timedelta(hours=4)])
OTHERS = {
    "no exemption": None,
    "another cluster's": an_exemption(ClusterMatch(id="j-ANOTHERCLUSTER")),
    "another name's": an_exemption(ClusterMatch(name="legacy-*")),
    "another tag's": an_exemption(ClusterMatch(tag={"team": "finance"})),
    "another rule's": an_exemption(rules=("EMRLOG-006",)),
    "an expired one": an_exemption(until=date(2026, 3, 13)),
}
OURS = {
    "by id": an_exemption(),
    "by name": an_exemption(ClusterMatch(name="nightly-*")),
    "by tag": an_exemption(ClusterMatch(tag={"team": "research"})),
    "until today": an_exemption(rules=(RULE,), until=date(2026, 3, 14)),
}
MILDER = {
    "as it is": RuleSettings(),
    "off": RuleSettings(enabled=False),
    "of medium severity": RuleSettings(severity=Severity.MEDIUM),
    "in mode alert": RuleSettings(mode=Mode.ALERT),
}


class CrashError(BaseException):
    """The function dies."""


@dataclass(frozen=True)
class Wish:
    """What security wants, as anybody would say it."""

    mode: Mode = Mode.ENFORCE
    running: timedelta = timedelta(minutes=30)
    launching: timedelta = timedelta(minutes=30)
    exemption: str = "no exemption"
    rule: str = "as it is"
    listed: bool = True
    allowed: bool = True
    override: bool = False

    @property
    def policy(self) -> Policy:
        exemption = (OTHERS | OURS)[self.exemption]
        return Policy(
            self.mode,
            rules={RULE: MILDER[self.rule]},
            exemptions=(exemption,) if exemption else (),
            enforcement=Enforcement(
                DEFAULT_ENFORCED_RULES if self.listed else frozenset({"EMRLOG-006"}),
                self.launching,
                self.running,
                termination_protection=TerminationProtection(
                    "override" if self.override else "respect"
                ),
                allowed=self.allowed,
            ),
        )

    def permits(self, now: datetime, *, protected: bool) -> bool:
        """Whether a cluster without a key may be ended, its grace apart."""
        exempt = self.exemption in OURS and (
            self.exemption != "until today" or now.date() == NOW.date()
        )
        return (
            self.mode is Mode.ENFORCE
            and self.allowed
            and self.listed
            and self.rule == "as it is"
            and not exempt
            and (self.override or not protected)
        )


WILLING = st.builds(Wish, running=GRACES, launching=GRACES, override=st.booleans())
WISHES = st.builds(
    Wish,
    st.sampled_from([*Mode, Mode.ENFORCE]),
    GRACES,
    GRACES,
    st.sampled_from([*OTHERS, *OURS]),
    st.sampled_from(["as it is", *MILDER]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


class Guarding(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wish = Wish(Mode.ALERT)
        self.world = World(policy=self.wish.policy)
        self.cluster = BAD
        self.seen_bad: tuple[datetime, bool] | None = None
        self.requests: list[tuple[datetime, RequestEnforcement]] = []
        self.crash = ""
        self.checked = False
        self.ended = 0
        self.tried = False
        self.world.clusters.terminate = self.terminate  # type: ignore[method-assign]
        self.world.queue.send = self.send  # type: ignore[method-assign]
        self.world.alerts.publish = self.publish  # type: ignore[method-assign]

    @property
    def cluster(self) -> object:
        return self.world.clusters.known[CLUSTER_ID]

    @cluster.setter
    def cluster(self, cluster: object) -> None:
        self.world.clusters.known = {CLUSTER_ID: cluster}  # type: ignore[dict-item]

    def change(self, **changes: object) -> None:
        self.cluster = replace(self.world.clusters.known[CLUSTER_ID], **changes)  # type: ignore[arg-type]

    @property
    def state(self) -> str:
        return self.world.clusters.known[CLUSTER_ID].state

    def dies(self, where: str) -> None:
        if self.crash == where:
            self.crash = ""
            raise CrashError

    def send(self, request: RequestEnforcement, delay_seconds: int = 0) -> None:
        self.requests.append((self.world.now + timedelta(seconds=delay_seconds), request))

    def publish(self, alert: Alert) -> None:
        self.dies("publishing")
        self.world.alerts.published.append(alert)

    def terminate(self, cluster_id: str) -> None:
        cluster, wish, now = self.world.clusters.known[cluster_id], self.wish, self.world.now
        self.tried = True
        self.dies("before it ends the cluster")
        assert cluster.log_key_identifier is None
        assert not cluster.ended
        assert wish.permits(now, protected=cluster.termination_protected)
        assert self.seen_bad is not None
        since, launching = self.seen_bad
        assert now >= since + (wish.launching if launching else wish.running)
        self.change(state="TERMINATING")
        self.ended += 1
        self.dies("after it ended the cluster")

    @initialize(state=st.sampled_from(["STARTING", "RUNNING"]), wish=WILLING | WISHES)
    def it_is_launched(self, state: str, wish: Wish) -> None:
        self.change(state=state)
        self.policy_is_edited(wish, asked=False)
        self.check()

    @rule()
    def check(self) -> None:
        self.checked = False
        with suppress(AlertUnderWayError, CrashError):
            self.world.check()
            self.checked = True
        cluster = self.world.clusters.known[CLUSTER_ID]
        entry = self.world.entries.get(RULE)
        if entry is None or not entry.open:
            self.seen_bad = None
        elif self.seen_bad is None:
            self.seen_bad = self.world.now, cluster.launching

    @precondition(lambda self: self.state in ("STARTING", "RUNNING"))
    @rule(
        bad=st.booleans(),
        protected=st.booleans(),
        state=st.sampled_from(["STARTING", "RUNNING"]),
        asked=st.booleans(),
    )
    def what_emr_says_changes(self, *, bad: bool, protected: bool, state: str, asked: bool) -> None:
        key = BAD.log_key_identifier if bad else a_cluster().log_key_identifier
        self.change(log_key_identifier=key, termination_protected=protected, state=state)
        if asked:
            self.somebody_forges_a_request()

    @rule(wish=WILLING | WISHES, asked=st.booleans())
    def policy_is_edited(self, wish: Wish, *, asked: bool) -> None:
        self.wish = wish
        self.world.policy = wish.policy
        if asked:  # who looks again goes by the policy of this moment
            self.somebody_forges_a_request()

    @rule(seconds=st.sampled_from([1, 60, 600, 1800, 7200, 14_400]))
    def time_passes(self, seconds: int) -> None:
        self.world.passes(seconds=seconds)

    @rule(
        where=st.sampled_from(
            ["publishing", "before it ends the cluster", "after it ended the cluster"]
        )
    )
    def a_function_will_die(self, where: str) -> None:
        self.crash = where

    def deliver(self, request: RequestEnforcement) -> None:
        """Hand a request over; what fails is delivered again after a while."""
        self.tried = False
        try:
            step = self.world.enforce(request)
        except CrashError:
            self.requests.append((self.world.now + timedelta(minutes=12), request))
            return
        except (AlertUnderWayError, TerminationInProgressError):
            self.requests.append((self.world.now + timedelta(minutes=12), request))
            return
        if self.tried:
            assert step is NextStep.TERMINATION_STARTED

    @rule()
    def what_was_asked_for_arrives(self) -> None:
        now = self.world.now
        due = [request for at, request in self.requests if at <= now]
        self.requests = [(at, request) for at, request in self.requests if at > now]
        for arn, schedule in [*self.world.schedules.standing.items()]:
            if schedule.at <= now:
                del self.world.schedules.standing[arn]
                due.append(schedule.request)
        for request in due:
            self.deliver(request)
        for _ in self.world.rechecks.asked:
            self.check()
        self.world.rechecks.asked.clear()

    @rule()
    def somebody_forges_a_request(self) -> None:
        self.deliver(RequestEnforcement(BAD.arn))

    @precondition(lambda self: self.state == "TERMINATING")
    @rule(heard=st.booleans())
    def the_cluster_is_gone(self, *, heard: bool) -> None:
        self.change(state="TERMINATED")
        if heard:
            self.check()

    @invariant()
    def a_schedule_stands_only_where_people_were_told_of_it(self) -> None:
        """One may be left when the deadline is over: it fires, if it has not yet, and is gone."""
        entry = self.world.entries.get(RULE)
        told = entry.told.deadline if entry and entry.told else None
        if self.checked and self.state not in ("TERMINATING", "TERMINATED"):
            for schedule in self.world.schedules.standing.values():
                assert told is not None
                assert schedule.at >= told or told <= self.world.now

    @property
    def done(self) -> int:
        return self.world.kinds.count(AlertKind.ENFORCEMENT_DONE)

    @invariant()
    def an_end_is_told_once_and_only_if_it_was_the_guards(self) -> None:
        assert self.done <= (1 if self.ended and self.state == "TERMINATED" else 0)

    def teardown(self) -> None:
        """Whatever happened: a cluster that stays bad is ended in the end, if that is wanted, and
        its end is told."""
        self.crash = ""
        if not self.ended:
            self.change(log_key_identifier=None, termination_protected=False)
        self.policy_is_edited(Wish(), asked=False)
        for _ in range(3):
            self.world.passes(minutes=31)
            self.check()
            self.what_was_asked_for_arrives()
        assert self.ended == 1
        self.change(state="TERMINATED")
        for _ in range(2):
            self.world.passes(minutes=16)
            self.what_was_asked_for_arrives()
            self.check()  # every hour, of what is open
        assert self.done == 1


Guarding.TestCase.settings = settings(max_examples=120, stateful_step_count=30)
TestGuarding = Guarding.TestCase
