from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from emr_log_guard.adapters.dynamodb import DynamoPolicyHistory
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.domain.policy import PolicyChange, PolicyProblem
from emr_log_guard.domain.termination import Stage
from emr_log_guard.errors import PolicyUnavailableError
from emr_log_guard.policy_document import STRICT
from emr_log_guard.usecases.policy import CurrentPolicy, NotifyPolicyChange
from emr_log_guard.usecases.ports import PolicyHistory, StoredPolicy, UnreadablePolicy
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, a_policy
from tests.unit.fake_table import FakeTable
from tests.unit.fakes import FakeAlerts, FakePolicyVersions
from tests.unit.usecases.world import World

AWAY = UnreadablePolicy("ssm:GetParameter answered ThrottlingException", transient=True)
DENIED = UnreadablePolicy("ssm:GetParameter answered AccessDeniedException", transient=False)
OBSERVE = StoredPolicy('{"mode": "observe"}', 1)
ENFORCE = StoredPolicy('{"mode": "enforce"}', 2)
INVALID = StoredPolicy('{"mode": "enforce", "exemption": []}', 3)
BAD = a_cluster(log_key_identifier=None)
SUSPENDED = replace(STRICT, suspended=True)
"""What holds where there never was a valid policy."""


class Parameter:
    """A parameter that answers in turn, the last answer for good, and a clock beside it."""

    name = "/emr-log-guard/test/policy"

    def __init__(self, *answers: StoredPolicy | UnreadablePolicy) -> None:
        self.answers = list(answers)
        self.reads = 0
        self.now = 1000.0

    def read(self) -> StoredPolicy | UnreadablePolicy:
        self.reads += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class LastNotified:
    def __init__(self) -> None:
        self.problems: list[PolicyProblem] = []
        self.failure: Exception | None = None

    def policy_invalid(self, problem: PolicyProblem) -> None:
        if self.failure:
            raise self.failure
        self.problems.append(problem)


def a_history() -> DynamoPolicyHistory:
    return DynamoPolicyHistory(FakeTable(), "findings", lambda: NOW)


def current(
    parameter: Parameter,
    notified: LastNotified | None = None,
    *,
    cached: bool = True,
    history: PolicyHistory | None = None,
) -> CurrentPolicy:
    return CurrentPolicy(
        parameter,
        history,
        notified or LastNotified(),
        lambda: NOW,
        allowed=True,
        cached=cached,
        timer=lambda: parameter.now,
    )


def test_stored_policy_is_combined_with_the_enforcement_setting_of_the_stack() -> None:
    policy = current(Parameter(ENFORCE))()

    assert policy.mode is Mode.ENFORCE
    assert policy.enforcement.allowed


@pytest.mark.parametrize(("seconds", "mode"), [(29, Mode.OBSERVE), (30, Mode.ENFORCE)])
def test_changed_policy_is_read_after_thirty_seconds(seconds: float, mode: Mode) -> None:
    parameter = Parameter(OBSERVE, ENFORCE)
    policy = current(parameter)
    policy()
    parameter.now += seconds

    assert policy().mode is mode


def test_policy_without_a_cache_is_read_at_each_call() -> None:
    parameter = Parameter(OBSERVE, ENFORCE)
    policy = current(parameter, cached=False)

    assert [policy().mode, policy().mode] == [Mode.OBSERVE, Mode.ENFORCE]


@pytest.mark.parametrize(
    ("failure", "seconds", "mode"),
    [
        (AWAY, 59, Mode.OBSERVE),
        (AWAY, 60, Mode.ALERT),
        (DENIED, 59, Mode.ALERT),
    ],
)
def test_last_policy_is_used_for_a_minute_after_a_transient_failure(
    failure: UnreadablePolicy, seconds: float, mode: Mode
) -> None:
    parameter = Parameter(OBSERVE, failure)
    policy = current(parameter)
    policy()
    parameter.now += seconds

    assert policy().mode is mode


def test_transient_failures_do_not_extend_the_minute() -> None:
    parameter = Parameter(OBSERVE, AWAY)
    policy = current(parameter)
    modes = []
    for _ in range(6):
        modes.append(policy().mode)
        parameter.now += 15

    assert modes == [*[Mode.OBSERVE] * 4, Mode.ALERT, Mode.ALERT]


@pytest.mark.parametrize("failure", [AWAY, DENIED])
def test_unreadable_first_policy_leads_to_the_suspended_defaults(failure: UnreadablePolicy) -> None:
    notified = LastNotified()

    assert current(Parameter(failure), notified)() == SUSPENDED
    assert notified.problems == [PolicyProblem(Parameter.name, None, (failure.reason,))]


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("failure", [INVALID, AWAY, DENIED])
def test_last_valid_policy_is_used_suspended_when_the_stored_one_is_unusable(
    failure: StoredPolicy | UnreadablePolicy, *, cached: bool
) -> None:
    parameter, history = Parameter(ENFORCE, failure), a_history()
    current(parameter, history=history)()

    policy = current(parameter, cached=cached, history=history)()

    assert (policy.mode, policy.version, policy.suspended) == (Mode.ENFORCE, 2, True)


def test_older_policy_never_replaces_the_last_valid_one() -> None:
    history = a_history()
    newer = replace(OBSERVE, version=1, stored_at=NOW + timedelta(hours=1))  # deleted, made again
    current(Parameter(newer), history=history)()
    current(Parameter(replace(ENFORCE, stored_at=NOW)), history=history)()

    assert history.last_valid() == newer


def test_undecodable_last_valid_policy_leads_to_the_suspended_defaults() -> None:
    history = a_history()
    history.keep(StoredPolicy('{"no_longer": "a field"}', 9, NOW))

    assert current(Parameter(AWAY), history=history)() == SUSPENDED


def test_policy_without_a_cache_is_suspended_at_a_transient_failure() -> None:
    parameter = Parameter(ENFORCE, AWAY)
    policy = current(parameter, cached=False)
    policy()

    assert policy() == SUSPENDED


def test_invalid_policy_is_alerted_once_per_version() -> None:
    notified, history = LastNotified(), a_history()
    answers = (INVALID, INVALID, StoredPolicy("{", 4), INVALID)
    for answer in answers:
        assert current(Parameter(answer), notified, history=history)() == SUSPENDED

    assert [problem.version for problem in notified.problems] == [3, 4, 3]
    assert notified.problems[0].problems == (
        "exemption: no such field; correct its name, or remove it",
    )


def test_policy_problem_is_alerted_again_after_a_valid_policy_and_after_a_day() -> None:
    notified, world = LastNotified(), World()
    history = DynamoPolicyHistory(world.table, "findings", world.clock)
    for answer in (INVALID, INVALID, ENFORCE, INVALID, INVALID):
        current(Parameter(answer), notified, history=history)()
    assert len(notified.problems) == 2

    world.passes(days=1)
    current(Parameter(INVALID), notified, history=history)()

    assert len(notified.problems) == 3


def test_policy_problem_whose_alert_failed_is_alerted_after_a_minute() -> None:
    notified, parameter = LastNotified(), Parameter(INVALID)
    world = World()
    history = DynamoPolicyHistory(world.table, "findings", world.clock)
    policy = current(parameter, notified, history=history)
    notified.failure = ConnectionError("SNS is away")
    with pytest.raises(ConnectionError, match="SNS is away"):
        policy()
    notified.failure = None
    policy()
    assert notified.problems == []  # for a minute it is left to the first invocation

    world.passes(minutes=1)
    policy()

    assert len(notified.problems) == 1


def test_valid_policy_replaces_the_suspended_defaults() -> None:
    parameter = Parameter(INVALID, ENFORCE)
    policy = current(parameter)
    assert policy() == SUSPENDED
    parameter.now += 30

    assert policy().mode is Mode.ENFORCE


@pytest.mark.parametrize("answer", [INVALID, AWAY, DENIED])
def test_termination_waits_while_the_policy_is_unusable(
    world: World, answer: StoredPolicy | UnreadablePolicy
) -> None:
    world.clusters.known = {CLUSTER_ID: BAD}
    world.check()
    assert world.queue.sent == [RequestEnforcement(BAD.arn)]
    history = a_history()
    current(Parameter(replace(ENFORCE, stored_at=NOW)), history=history)()
    world.policy = current(Parameter(answer), history=history)()

    with pytest.raises(PolicyUnavailableError):
        world.enforce(RequestEnforcement(BAD.arn))
    world.check()

    assert world.kinds == ["finding.opened"]
    assert not [action for action in world.journal if action.startswith("terminate")]
    assert world.termination is not None
    assert world.termination.stage is Stage.REQUESTED


def test_suspended_policy_cancels_no_schedule_and_changes_no_deadline(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: BAD}
    world.policy = a_policy(grace=timedelta(hours=1))
    world.check()
    before = world.records["EMRLOG-002"]

    world.policy = replace(world.policy, suspended=True)
    world.passes(minutes=10)
    world.check()

    assert world.kinds == ["finding.opened", "enforcement.scheduled"]
    assert BAD.arn in world.schedules.existing
    assert world.records["EMRLOG-002"].finding.deadline == before.finding.deadline is not None


def test_forced_refresh_replaces_the_cached_policy() -> None:
    policy = current(Parameter(OBSERVE, ENFORCE))

    assert [policy().mode for _ in range(2)] == [Mode.OBSERVE] * 2
    assert policy(force_refresh=True).mode is Mode.ENFORCE
    assert (policy().mode, policy().version) == (Mode.ENFORCE, 2)


ADA = "arn:aws:sts::111122223333:assumed-role/security/ada"
VERSIONS = (
    StoredPolicy(
        '{"mode": "observe"}', 1, NOW - timedelta(days=1), "arn:aws:iam::111122223333:root"
    ),
    StoredPolicy('{ "mode": "enforce" }', 2, NOW, ADA),
)


def changed_policy(*versions: StoredPolicy, at: datetime | None) -> list[PolicyChange]:
    alerts = FakeAlerts()
    NotifyPolicyChange(FakePolicyVersions(*versions), alerts)(at)
    return alerts.policy_changes


def test_policy_change_contains_author_time_and_difference() -> None:
    [change] = changed_policy(*VERSIONS, at=NOW)

    assert (change.parameter, change.version) == ("/emr-log-guard/test/policy", 2)
    assert (change.changed_by, change.changed_at) == (ADA, NOW)
    assert change.changes == (
        "@@ -1,3 +1,3 @@",
        " {",
        '-  "mode": "observe"',
        '+  "mode": "enforce"',
        " }",
    )


def test_first_policy_version_is_reported_as_added() -> None:
    [change] = changed_policy(VERSIONS[0], at=None)

    assert (change.version, change.changes) == (
        1,
        ("@@ -0,0 +1,3 @@", "+{", '+  "mode": "observe"', "+}"),
    )


def test_late_event_reports_the_version_stored_at_its_time_with_the_same_id() -> None:
    third = StoredPolicy('{"mode": "alert"}', 3, NOW + timedelta(minutes=1), ADA)

    [late] = changed_policy(*VERSIONS, third, at=NOW.replace(microsecond=0))

    assert late.version == 2
    assert [late] == changed_policy(*VERSIONS, at=NOW)
    [newest] = changed_policy(*VERSIONS, third, at=None)
    assert (newest.version, newest.id == late.id) == (3, False)


def test_version_with_the_same_document_is_not_reported() -> None:
    same = StoredPolicy('{"mode":"enforce"}', 3, NOW + timedelta(minutes=1), ADA)

    assert changed_policy(*VERSIONS, same, at=None) == []


def test_deleted_policy_is_reported_without_an_author() -> None:
    [change] = changed_policy(at=NOW)

    assert (change.version, change.changed_by, change.changed_at) == (None, None, NOW)
    assert changed_policy(at=None)[0].id != change.id
