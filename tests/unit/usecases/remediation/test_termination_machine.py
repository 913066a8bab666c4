"""Random facts, events, policy edits, exemptions, faults of AWS, deaths of functions and time
against the promises that matter most: no cluster is terminated that the policy of that moment would
not terminate, nor before its time, nor before an alert was sent; whose end is alerted as the
guard's doing that is; and in the end nothing is pending."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emr_log_guard.domain.clusters import Cluster, Step, StepState
from emr_log_guard.domain.compliance import Mode, Severity
from emr_log_guard.domain.decide import (
    Alert,
    AlertKind,
    NextStep,
    RequestEnforcement,
    ScheduleEnforcement,
)
from emr_log_guard.domain.keys import KeyFact, KeyManager, KeyNotFound, KeyState
from emr_log_guard.domain.policy import (
    ClusterMatch,
    Enforcement,
    Policy,
    RuleSettings,
    TerminationProtection,
)
from emr_log_guard.domain.termination import CALLS, VERIFY
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    AlertInProgressError,
    AlertNotAcceptedError,
    NotReadableError,
    PolicyUnavailableError,
    StalePolicyError,
    TerminationInProgressError,
    TerminationNotAcceptedError,
    TerminationRefusedError,
)
from emr_log_guard.events.emr import ClusterCheckRequest
from tests.histories import histories
from tests.unit.builders import CLUSTER_ID, KEY, NOW, a_cluster, a_key, an_exemption, key_arn
from tests.unit.usecases.world import World

GOOD = a_cluster(tags={"team": "research"})
OWN_KEY = a_key(arn=key_arn("0987dcba-09fe-87dc-65ba-ab0987654321"), manager=KeyManager.AWS)
GRACES = st.sampled_from([timedelta(0), timedelta(minutes=30), timedelta(hours=4)])
TRANSIENT = timedelta(minutes=30)
QUIET = timedelta(minutes=5)
SKEW = timedelta(seconds=3)
RULES = ("EMRLOG-002", "EMRLOG-005", "EMRLOG-008")
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
    "until today": an_exemption(rules=RULES, until=date(2026, 3, 14)),
}
MILDER = {
    "as it is": RuleSettings(),
    "off": RuleSettings(enabled=False),
    "of medium severity": RuleSettings(severity=Severity.MEDIUM),
    "in mode alert": RuleSettings(mode=Mode.ALERT),
}
REFUSED = (
    AlertNotAcceptedError,
    AlertInProgressError,
    NotReadableError,
    PolicyUnavailableError,
    StalePolicyError,
    TerminationInProgressError,
    TerminationNotAcceptedError,
)
"""What AWS tries again after."""


class CrashError(BaseException):
    """The function dies."""


class Fact(StrEnum):
    """What is the matter with the cluster."""

    GOOD = "nothing"
    NO_KEY = "no log key"
    NOT_FOUND = "its key is not found"
    CREATING = "its key is being created"
    UNAVAILABLE = "its key is unavailable"
    UNREAD = "its key cannot be read for a moment"
    DENIED = "its key cannot be read"
    DISABLED = "its key is disabled"
    RUNNING_STEP = "a step with an AWS-managed key runs"
    FINISHED_STEP = "a step with an AWS-managed key is over"
    CANCELLED_STEP = "a step with an AWS-managed key was cancelled before it ran"


KEYS: dict[Fact, KeyFact] = {
    Fact.NOT_FOUND: KeyNotFound(KEY.arn, "kms:DescribeKey answered NotFoundException"),
    Fact.CREATING: a_key(state=KeyState.CREATING),
    Fact.UNAVAILABLE: a_key(state=KeyState.UNAVAILABLE),
    Fact.UNREAD: Unresolved("kms:DescribeKey answered KMSInternalException", transient=True),
    Fact.DENIED: Unresolved("kms:DescribeKey answered AccessDeniedException"),
    Fact.DISABLED: a_key(state=KeyState.DISABLED),
}
STEPS = {
    Fact.RUNNING_STEP: Step("s-1", "etl", None, OWN_KEY.arn, state=StepState.RUNNING, started=True),
    Fact.FINISHED_STEP: Step(
        "s-1", "etl", None, OWN_KEY.arn, state=StepState.COMPLETED, started=True
    ),
    Fact.CANCELLED_STEP: Step("s-1", "etl", None, OWN_KEY.arn, state=StepState.CANCELLED),
}
PASSING = frozenset({Fact.NOT_FOUND, Fact.CREATING, Fact.UNAVAILABLE})
"""What proves nothing until it has lasted."""
GROUNDS = {
    Fact.NO_KEY: "EMRLOG-002",
    Fact.NOT_FOUND: "EMRLOG-005",
    Fact.CREATING: "EMRLOG-005",
    Fact.UNAVAILABLE: "EMRLOG-005",
    Fact.DISABLED: "EMRLOG-005",
    Fact.RUNNING_STEP: "EMRLOG-008",
}
"""The rule that a cluster may be terminated for; for other facts, none is."""


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

    def policy(self, stored_at: datetime) -> Policy:
        exemption = (OTHERS | OURS)[self.exemption]
        return Policy(
            self.mode,
            rules=dict.fromkeys(RULES, MILDER[self.rule]),
            exemptions=(exemption,) if exemption else (),
            enforcement=Enforcement(
                frozenset(RULES) if self.listed else frozenset({"EMRLOG-006"}),
                self.launching,
                self.running,
                transient=TRANSIENT,
                termination_protection=TerminationProtection(
                    "override" if self.override else "respect"
                ),
                allowed=self.allowed,
            ),
            stored_at=stored_at,
        )

    def permits(self, now: datetime, *, protected: bool) -> bool:
        """Whether a cluster that breaks a rule may be terminated, its grace apart."""
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


@dataclass(frozen=True)
class Seen:
    """A check that met a violation."""

    at: datetime
    passing: bool
    """Whether it rests on what may pass."""
    launching: bool

    def ends(self, wish: Wish) -> datetime:
        """The earliest moment at which a cluster may be terminated because of it."""
        if self.passing:
            return self.at + TRANSIENT + min(wish.launching, wish.running)
        return self.at + (wish.launching if self.launching else wish.running)


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
FACTS = st.sampled_from([*Fact, *[Fact.NO_KEY] * 4])
ACTIONS = ["write", "publish", "send", "schedule", "unschedule", "recheck", "terminate"]
ANSWERS = ["accepts", "refuses", "fails", "fails, but accepted"]


class Guarding(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wish = Wish(Mode.ALERT)
        self.edited_at = NOW - timedelta(days=1)
        self.former: Policy | None = None
        self.used: Policy | None = None
        self.suspended = False
        self.warm = False
        self.world = World(policy=self.wish.policy(self.edited_at))
        self.fact = Fact.GOOD
        self.steps: tuple[Step, ...] = ()
        self.seen: dict[str, list[Seen]] = {}
        self.notified: dict[str, datetime] = {}
        self.requests: list[tuple[datetime, RequestEnforcement]] = []
        self.crash: tuple[str, bool, int] | None = None
        self.sns = "accepts"
        self.emr = "accepts"
        self.lagging = False
        self.checked = False
        self.terminating = False
        """Whether EMR accepted the guard's call."""
        self.ended_at = NOW
        self.unread_at: datetime | None = None
        self.called = False
        """Whether the guard called, and cannot know whether EMR accepted."""
        self.unsure = False
        """Whether EMR accepted and answered otherwise."""
        self.tried = False
        self.done: set[str] = set()
        world = self.world
        world.clusters.known = {CLUSTER_ID: GOOD}
        world.clusters.terminate = self.terminate  # type: ignore[method-assign]
        world.clusters.set_termination_protection = self.protect  # type: ignore[method-assign]
        world.queue.send = self.send  # type: ignore[method-assign]
        world.alerts.publish = self.publish  # type: ignore[method-assign]
        world.current_policy = self.current_policy  # type: ignore[method-assign]
        self.dying(world.table, "put_item", "write")
        self.dying(world.rechecks, "request", "recheck")
        put, delete = world.schedules.put, world.schedules.delete
        world.schedules.put = lambda schedule: self.scheduled(put, schedule)  # type: ignore[method-assign]
        world.schedules.delete = lambda cluster_arn: self.unscheduled(delete, cluster_arn)  # type: ignore[method-assign]

    @property
    def cluster(self) -> Cluster:
        return self.world.clusters.known[CLUSTER_ID]

    @property
    def state(self) -> str:
        return self.cluster.state

    def change(self, **changes: Any) -> None:  # noqa: ANN401 - fields of a cluster
        self.world.clusters.known = {CLUSTER_ID: replace(self.cluster, **changes)}

    def is_now(self, fact: Fact) -> None:
        self.fact = fact
        key = None if fact is Fact.NO_KEY else KEY.arn
        self.change(log_key_identifier=key)
        self.world.keys.facts = {KEY.arn: KEYS.get(fact, KEY), OWN_KEY.arn: OWN_KEY}
        self.steps = self.steps_with(fact)
        self.world.clusters.listed = self.steps

    def steps_with(self, fact: Fact) -> tuple[Step, ...]:
        """Give the steps that EMR lists: it goes on to list one that is over."""
        if fact in STEPS:
            return (STEPS[fact],)
        ran = self.steps == (STEPS[Fact.RUNNING_STEP],)
        return (STEPS[Fact.FINISHED_STEP],) if ran else self.steps

    # What AWS does, and how functions die.

    def dies(self, action: str, *, after: bool) -> None:
        if self.crash is None or self.crash[:2] != (action, after):
            return
        left = self.crash[2] - 1
        self.crash = (action, after, left) if left else None
        if not left:
            raise CrashError

    def dying(self, of: object, name: str, action: str) -> None:
        do = getattr(of, name)

        def deadly(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - of any function
            self.dies(action, after=False)
            answer = do(*args, **named)
            self.dies(action, after=True)
            return answer

        setattr(of, name, deadly)

    def current_policy(self, *, force_refresh: bool = False) -> Policy:
        """Give the policy; an environment that is warm may have the former one for a minute."""
        young = self.world.now - self.edited_at < timedelta(seconds=60)
        if self.warm and not force_refresh and young and self.former is not None:
            self.used = self.former
        else:
            self.used = replace(self.world.policy, suspended=self.suspended)
        return self.used

    def may_decide(self) -> None:
        """Nothing is decided about terminations without a policy, nor by one that is behind."""
        assert not (self.used and self.used.suspended)
        decided = [e.decided_under for e in self.world.records.values() if e.decided_under]
        if self.used and self.used.stored_at and decided:
            assert self.used.stored_at >= max(decided)

    def send(self, request: RequestEnforcement, delay_seconds: int = 0) -> None:
        if not request.verify:
            self.may_decide()
        self.dies("send", after=False)
        self.requests.append((self.world.now + timedelta(seconds=delay_seconds), request))
        self.dies("send", after=True)

    def scheduled(self, put: Callable[[Any], None], schedule: ScheduleEnforcement) -> None:
        self.may_decide()
        known = [
            record.last_notified.deadline
            for record in self.world.records.values()
            if record.last_notified
        ]
        assert schedule.at in known, "a schedule that was not alerted"
        self.dies("schedule", after=False)
        put(schedule)
        self.dies("schedule", after=True)

    def unscheduled(self, delete: Callable[[Any], None], arn: str) -> None:
        self.may_decide()
        self.dies("unschedule", after=False)
        delete(arn)
        self.dies("unschedule", after=True)

    def publish(self, alert: Alert) -> None:
        self.dies("publish", after=False)
        if self.sns == "refuses":
            message = "SNS refuses"
            raise AlertNotAcceptedError(message)
        self.says_what_is_true(alert)
        self.world.alerts.published.append(alert)
        for finding in alert.findings:
            self.notified[finding.rule_id] = self.world.now
        self.dies("publish", after=True)

    def says_what_is_true(self, alert: Alert) -> None:
        rules = {finding.rule_id for finding in alert.findings}
        assert alert.id
        match alert.kind:
            case AlertKind.ENFORCEMENT_SKIPPED:
                assert self.state in ("STARTING", "RUNNING")
                assert not self.terminating
                self.may_decide()
            case AlertKind.ENFORCEMENT_SCHEDULED:
                assert self.state in ("STARTING", "RUNNING")
                self.may_decide()
            case AlertKind.ENFORCEMENT_DONE:
                assert self.state == "TERMINATED"
                assert self.terminating or self.called
                self.done.add(alert.id)
                assert len(self.done) == 1
            case AlertKind.ENFORCEMENT_FAILED:
                assert self.tried or self.state == "TERMINATING" or self.lagging
            case AlertKind.FINDING_OPENED | AlertKind.FINDING_REOPENED:
                seen = self.seen.get("EMRLOG-005", [])
                if self.fact in PASSING and "EMRLOG-005" in rules:
                    proven = any(not each.passing for each in seen)
                    # Its key could not be read at this very moment: that is alerted at once.
                    unread = self.unread_at == self.world.now
                    assert proven or unread or self.world.now >= seen[0].at + QUIET
            case _:
                pass

    def protect(self, cluster_id: str, *, protected: bool) -> None:
        self.dies("terminate", after=False)
        assert cluster_id == CLUSTER_ID
        self.change(termination_protected=protected)

    def terminate(self, cluster_id: str) -> None:
        assert cluster_id == CLUSTER_ID
        cluster, wish, now = self.cluster, self.wish, self.world.now
        self.tried = True
        self.called = True
        self.dies("terminate", after=False)
        self.may_decide()
        assert not self.suspended
        assert not cluster.terminating
        assert self.fact in GROUNDS
        rule_id = GROUNDS[self.fact]
        protected = cluster.termination_protected
        assert wish.permits(now, protected=protected)
        seen = self.seen[rule_id]
        assert now >= min(each.ends(wish) for each in seen)
        assert self.notified[rule_id] >= seen[0].at
        if self.emr == "refuses":
            self.called = False
            message = "EMR refuses"
            raise TerminationRefusedError(message)
        if self.emr == "fails":
            self.called = False
            message = "EMR answered InternalServerException"
            raise TerminationNotAcceptedError(message)
        if not self.terminating:
            self.terminating, self.ended_at = True, now
        self.emr_catches_up()
        if self.emr == "fails, but accepted":
            self.unsure = True
            message = "EMR did not answer in time"
            raise TerminationNotAcceptedError(message)
        self.dies("terminate", after=True)

    # What happens.

    @initialize(state=st.sampled_from(["STARTING", "RUNNING"]), wish=WILLING | WISHES, fact=FACTS)
    def it_is_launched(self, state: str, wish: Wish, fact: Fact) -> None:
        self.change(state=state)
        self.is_now(fact)
        self.policy_is_edited(wish, asked=False)
        self.check()

    def check(self, *, warm: bool = False, by_event: bool = False) -> None:
        """Check the cluster; for an event, which its stored settings may suffice for."""
        request = ClusterCheckRequest(
            CLUSTER_ID,
            by_event=by_event,
            state=self.state if by_event else None,
            step_ids=("s-1",) if by_event and self.fact in STEPS else (),
        )
        self.checked, self.warm, now = False, warm, self.world.now
        if self.state in ("STARTING", "RUNNING", "TERMINATING") and self.fact in GROUNDS:
            seen = Seen(now, self.fact in PASSING, self.state == "STARTING")
            self.seen.setdefault(GROUNDS[self.fact], []).append(seen)
        if by_event and self.state in ("STARTING", "RUNNING") and self.is_stored_without_key:
            # What EMR says now does not matter: the settings of a cluster cannot change.
            self.seen.setdefault("EMRLOG-002", []).append(Seen(now, passing=False, launching=False))
        if self.fact is Fact.DENIED:
            self.unread_at = now
        with suppress(*REFUSED, CrashError):
            self.world.check_cluster(request)
            if not by_event:
                # While there is no policy nothing is cancelled; the next check does it.
                self.checked = not self.suspended
                self.what_is_over()
        self.warm = False

    @property
    def is_stored_without_key(self) -> bool:
        """Whether events are evaluated against settings without a log key."""
        known = self.world.repository.read(CLUSTER_ID).known
        return known is not None and known.evaluated and known.cluster.log_key_identifier is None

    def what_is_over(self) -> None:
        """Forget what a check found to be no violation any more, or that is not checked."""
        for rule_id, seen in [*self.seen.items()]:
            record = self.world.records.get(rule_id)
            last = max(each.at for each in seen)
            finished = self.steps == (STEPS[Fact.FINISHED_STEP],)
            past = finished and rule_id == "EMRLOG-008"
            if record is None or not record.open or (past and self.world.now > last + SKEW):
                del self.seen[rule_id]

    @rule(warm=st.booleans())
    def a_check_is_requested(self, *, warm: bool) -> None:
        self.check(warm=warm)

    @rule(warm=st.booleans())
    def an_event_arrives(self, *, warm: bool) -> None:
        self.check(warm=warm, by_event=True)

    @precondition(lambda self: self.state in ("STARTING", "RUNNING"))
    @rule(fact=FACTS, protected=st.booleans(), runs=st.booleans(), asked=st.booleans())
    def what_aws_says_changes(
        self, fact: Fact, *, protected: bool, runs: bool, asked: bool
    ) -> None:
        self.is_now(fact)
        self.change(
            termination_protected=protected,
            state="RUNNING" if runs or self.state == "RUNNING" else "STARTING",
        )
        if asked:
            self.somebody_forges_a_request()

    @rule(wish=WILLING | WISHES, asked=st.booleans())
    def policy_is_edited(self, wish: Wish, *, asked: bool) -> None:
        self.former = None if self.suspended else self.world.policy
        self.edited_at = max(self.world.now, self.edited_at + timedelta(milliseconds=1))
        self.suspended = False
        self.wish = wish
        self.world.policy = wish.policy(self.edited_at)
        if asked:  # who looks again goes by the policy of this moment
            self.somebody_forges_a_request()

    @rule(asked=st.booleans())
    def policy_is_broken(self, *, asked: bool) -> None:
        self.suspended = True
        self.former = None
        if asked:
            self.somebody_forges_a_request()

    @rule(seconds=st.sampled_from([1, 60, 299, 600, 1800, 7200, 14_400]))
    def time_passes(self, seconds: int) -> None:
        self.passes(seconds)

    @rule()
    def an_hour_passes(self) -> None:
        """What AWS does by itself goes on, and the review has open findings checked."""
        for _ in range(4):
            self.passes(15 * 60)
            self.what_was_asked_for_arrives()
        self.check()

    @rule(action=st.sampled_from(ACTIONS), after=st.booleans(), nth=st.integers(1, 4))
    def a_function_will_die(self, action: str, nth: int, *, after: bool) -> None:
        self.crash = action, after, nth

    @rule(sns=st.sampled_from(["accepts", "refuses"]))
    def sns_changes(self, sns: str) -> None:
        self.sns = sns

    @rule(emr=st.sampled_from(ANSWERS), lagging=st.booleans())
    def emr_changes(self, emr: str, *, lagging: bool) -> None:
        self.emr, self.lagging = emr, lagging
        self.emr_catches_up()

    def emr_catches_up(self) -> None:
        """EMR shows what it accepted at once, or later, but not later than it is given time."""
        shown = not self.lagging or self.world.now >= self.ended_at + VERIFY
        if self.terminating and shown and not self.cluster.terminating:
            self.change(state="TERMINATING")

    def passes(self, seconds: float) -> None:
        self.world.passes(seconds=seconds)
        self.emr_catches_up()

    def deliver(self, request: RequestEnforcement) -> None:
        """Hand a request over; what fails is delivered again after a while."""
        self.tried = False
        again = self.world.now + timedelta(minutes=12)
        self.used = replace(self.world.policy, suspended=self.suspended)
        policy, self.world.policy = self.world.policy, self.used
        try:
            step = self.world.enforce(request)
        except (*REFUSED, CrashError) as error:
            if isinstance(error, CrashError) and self.tried:
                self.called = True  # it died before it could write down what EMR answered
            self.requests.append((again, request))
            return
        finally:
            self.world.policy = policy
        if self.tried:
            assert step in (NextStep.TERMINATION_STARTED, NextStep.TERMINATION_REFUSED)

    @rule()
    def what_was_asked_for_arrives(self) -> None:
        now = self.world.now
        due = [request for at, request in self.requests if at <= now]
        self.requests = [(at, request) for at, request in self.requests if at > now]
        for arn, schedule in [*self.world.schedules.existing.items()]:
            if schedule.at <= now:
                del self.world.schedules.existing[arn]
                due.append(schedule.request)
        for request in due:
            self.deliver(request)
        asked, self.world.rechecks.asked = self.world.rechecks.asked, []
        for _ in asked:
            self.check()

    @rule()
    def somebody_forges_a_request(self) -> None:
        self.deliver(RequestEnforcement(GOOD.arn))

    @precondition(lambda self: self.state in ("STARTING", "RUNNING"))
    @rule()
    def its_owner_terminates_it(self) -> None:
        self.change(state="TERMINATING")

    @precondition(lambda self: self.state == "TERMINATING")
    @rule(heard=st.booleans())
    def the_cluster_is_gone(self, *, heard: bool) -> None:
        self.change(state="TERMINATED")
        if heard:
            self.check()

    @invariant()
    def a_schedule_stands_only_where_people_know_of_it(self) -> None:
        """One may be left when the deadline is over: it fires, if it has not yet, and is gone."""
        known = [
            e.last_notified.deadline
            for e in self.world.records.values()
            if e.last_notified and e.last_notified.deadline
        ]
        if self.checked and not self.cluster.terminating:
            for schedule in self.world.schedules.existing.values():
                assert any(schedule.at >= at or at <= self.world.now for at in known)

    def teardown(self) -> None:
        """Whatever happened: once AWS is well, a cluster that stays bad is terminated if that is
        wanted, and its end is alerted; of one that ended, nothing is left."""
        self.crash, self.sns, self.emr, self.lagging = None, "accepts", "accepts", False
        self.emr_catches_up()
        owner_ended = self.cluster.terminating and not self.terminating
        if not self.cluster.terminating:
            self.is_now(Fact.NO_KEY)
            self.change(termination_protected=False)
        self.policy_is_edited(Wish(), asked=False)
        for _ in range(3 + CALLS):
            self.world.passes(minutes=31)
            self.check()
            self.what_was_asked_for_arrives()
        assert self.terminating or owner_ended
        if not self.cluster.terminated:
            assert all(
                record.last_notified for record in self.world.records.values() if record.open
            )
        if not self.cluster.terminated:
            self.change(state="TERMINATED")
        for _ in range(4):
            self.world.passes(minutes=16)
            self.what_was_asked_for_arrives()
            self.check()  # every hour, of what is open
        assert len(self.done) == 1 or owner_ended or self.unsure
        assert not self.world.schedules.existing
        for record in self.world.records.values():
            assert not record.open
            assert record.last_notified is None
            assert record.pending_since is None


Guarding.TestCase.settings = histories(60, 30)
TestGuarding = Guarding.TestCase
