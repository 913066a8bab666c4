import pytest

from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import NextStep, RequestEnforcement
from emr_log_guard.domain.policy_problem import PolicyProblem
from emr_log_guard.policy_document import STRICT
from emr_log_guard.usecases.current_policy import CurrentPolicy
from emr_log_guard.usecases.ports import StoredPolicy, UnreadablePolicy
from tests.unit.builders import CLUSTER_ID, a_cluster
from tests.unit.usecases.world import World

AWAY = UnreadablePolicy("ssm:GetParameter answered ThrottlingException", transient=True)
DENIED = UnreadablePolicy("ssm:GetParameter answered AccessDeniedException", transient=False)
OBSERVE = StoredPolicy('{"mode": "observe"}', 1)
ENFORCE = StoredPolicy('{"mode": "enforce"}', 2)
INVALID = StoredPolicy('{"mode": "enforce", "exemption": []}', 3)
BAD = a_cluster(log_key_identifier=None)


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


class Told:
    def __init__(self) -> None:
        self.problems: list[PolicyProblem] = []
        self.failure: Exception | None = None

    def policy_invalid(self, problem: PolicyProblem) -> None:
        if self.failure:
            raise self.failure
        self.problems.append(problem)


def current(
    parameter: Parameter, told: Told | None = None, *, remember: bool = True
) -> CurrentPolicy:
    return CurrentPolicy(
        parameter,
        told or Told(),
        allowed=True,
        remember=remember,
        timer=lambda: parameter.now,
    )


def test_a_stored_policy_holds_with_the_means_of_the_stack() -> None:
    policy = current(Parameter(ENFORCE))()

    assert policy.mode is Mode.ENFORCE
    assert policy.enforcement.allowed


@pytest.mark.parametrize(("seconds", "mode"), [(29, Mode.OBSERVE), (30, Mode.ENFORCE)])
def test_a_change_is_seen_in_good_time(seconds: float, mode: Mode) -> None:
    parameter = Parameter(OBSERVE, ENFORCE)
    policy = current(parameter)
    policy()
    parameter.now += seconds

    assert policy().mode is mode


def test_where_nothing_is_remembered_every_look_reads() -> None:
    parameter = Parameter(OBSERVE, ENFORCE)
    policy = current(parameter, remember=False)

    assert [policy().mode, policy().mode] == [Mode.OBSERVE, Mode.ENFORCE]


@pytest.mark.parametrize(
    ("failure", "seconds", "mode"),
    [
        (AWAY, 59, Mode.OBSERVE),
        (AWAY, 60, Mode.ALERT),
        (DENIED, 59, Mode.ALERT),
    ],
)
def test_the_last_policy_bridges_a_passing_failure_for_a_minute_at_most(
    failure: UnreadablePolicy, seconds: float, mode: Mode
) -> None:
    parameter = Parameter(OBSERVE, failure)
    policy = current(parameter)
    policy()
    parameter.now += seconds

    assert policy().mode is mode


def test_a_failure_that_was_bridged_makes_the_last_policy_no_younger() -> None:
    parameter = Parameter(OBSERVE, AWAY)
    policy = current(parameter)
    modes = []
    for _ in range(6):
        modes.append(policy().mode)
        parameter.now += 15

    assert modes == [*[Mode.OBSERVE] * 4, Mode.ALERT, Mode.ALERT]


@pytest.mark.parametrize("failure", [AWAY, DENIED])
def test_without_any_policy_the_strict_defaults_hold(failure: UnreadablePolicy) -> None:
    told = Told()

    assert current(Parameter(failure), told)() == STRICT
    assert told.problems == [PolicyProblem(Parameter.name, None, (failure.reason,))]


@pytest.mark.parametrize("remember", [True, False])
def test_no_older_policy_holds_in_place_of_an_invalid_one(*, remember: bool) -> None:
    parameter = Parameter(ENFORCE, INVALID, AWAY)
    policy = current(parameter, remember=remember)
    assert policy().mode is Mode.ENFORCE

    for _ in range(2):
        parameter.now += 30
        assert policy() == STRICT


def test_enforcement_bridges_nothing() -> None:
    parameter = Parameter(ENFORCE, AWAY)
    policy = current(parameter, remember=False)
    policy()

    assert policy() == STRICT


def test_an_invalid_policy_is_told_once_a_version_and_environment() -> None:
    told = Told()
    parameter = Parameter(INVALID, INVALID, StoredPolicy("{", 4), INVALID)
    policy = current(parameter, told)
    for _ in range(4):
        assert policy() == STRICT
        parameter.now += 31

    assert [problem.version for problem in told.problems] == [3, 4]
    assert told.problems[0].problems == (
        "exemption: no such field; correct its name, or remove it",
    )


def test_what_could_not_be_told_is_told_again() -> None:
    told, parameter = Told(), Parameter(INVALID)
    policy = current(parameter, told)
    told.failure = ConnectionError("SNS is away")
    with pytest.raises(ConnectionError, match="SNS is away"):
        policy()
    told.failure = None

    policy()

    assert len(told.problems) == 1


def test_a_good_policy_ends_the_strict_defaults() -> None:
    parameter = Parameter(INVALID, ENFORCE)
    policy = current(parameter)
    assert policy() == STRICT
    parameter.now += 30

    assert policy().mode is Mode.ENFORCE


@pytest.mark.parametrize("answer", [INVALID, AWAY, DENIED])
def test_while_the_policy_is_wrong_a_bad_cluster_is_told_and_spared(
    world: World, answer: StoredPolicy | UnreadablePolicy
) -> None:
    world.clusters.known = {CLUSTER_ID: BAD}
    world.policy = current(Parameter(answer))()

    world.check()
    step = world.enforce(RequestEnforcement(BAD.arn))

    assert step is NextStep.SPARED_NO_LONGER_CALLED_FOR
    assert world.journal == ["publish finding.opened", "publish enforcement.skipped"]


def test_what_somebody_just_changed_is_read_though_it_was_read_a_moment_ago() -> None:
    policy = current(Parameter(OBSERVE, ENFORCE))

    assert [policy().mode for _ in range(2)] == [Mode.OBSERVE] * 2
    assert policy(afresh=True).mode is Mode.ENFORCE
    assert (policy().mode, policy().version) == (Mode.ENFORCE, 2)
