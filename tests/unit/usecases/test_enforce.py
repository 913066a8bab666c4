import pytest

from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import AlertKind, NextStep, RequestEnforcement
from emr_log_guard.domain.keys import KeyFact
from emr_log_guard.domain.policy import Enforcement, Policy, TerminationProtection
from emr_log_guard.errors import ClusterNotFoundError, TerminationRefusedError
from tests.unit.builders import (
    CLUSTER_ID,
    KEY,
    UNREADABLE,
    a_cluster,
    a_log_object,
    a_policy,
    an_exemption,
    encrypted,
)
from tests.unit.fakes import GONE
from tests.unit.usecases.world import World

BAD = a_cluster(log_key_identifier=None)
PROTECTED = a_cluster(log_key_identifier=None, termination_protected=True)
REQUEST = RequestEnforcement(BAD.arn)
OVERRIDE = a_policy(protection=TerminationProtection.OVERRIDE)
OBJECTS_ENFORCED = Policy(
    Mode.ENFORCE, enforcement=Enforcement(frozenset({"EMRLOG-101"}), allowed=True)
)
OBJECT_REQUEST = RequestEnforcement(BAD.arn, (a_log_object(),))
REFUSED = TerminationRefusedError("answered ValidationException: protected")
TRANSIENT = ConnectionError("EMR is away")


@pytest.fixture(autouse=True)
def bad_cluster(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: BAD}


def told(world: World) -> tuple[AlertKind, NextStep, str, list[str]]:
    (alert,) = world.alerts.published
    rules = [finding.rule_id for finding in alert.findings]
    return alert.kind, alert.next_step, alert.detail, rules


def test_a_bad_cluster_is_terminated_and_told_about(world: World) -> None:
    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED

    assert world.journal == [f"terminate {CLUSTER_ID}", "publish enforcement.done"]
    assert told(world) == (
        AlertKind.ENFORCEMENT_DONE,
        NextStep.TERMINATION_STARTED,
        "",
        ["EMRLOG-002"],
    )


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_a_cluster_that_ends_already_is_success(world: World, state: str) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(log_key_identifier=None, state=state)}

    assert world.enforce(REQUEST) is NextStep.CLUSTER_ENDED

    assert world.journal == ["publish enforcement.done"]
    assert world.alerts.published[0].detail == f"The cluster is {state}."
    assert world.keys.asked == []


def test_a_cluster_that_is_gone_is_success(world: World) -> None:
    world.clusters.known = {}

    assert world.enforce(REQUEST) is NextStep.CLUSTER_ENDED

    (alert,) = world.alerts.published
    assert (alert.cluster_arn, alert.cluster_name) == (BAD.arn, None)


def test_a_cluster_that_vanishes_before_its_termination_is_success(world: World) -> None:
    world.clusters.failures["terminate"] = ClusterNotFoundError("gone")

    assert world.enforce(REQUEST) is NextStep.CLUSTER_ENDED


@pytest.mark.parametrize(
    ("key", "policy"),
    [
        (KEY, a_policy()),
        (UNREADABLE, a_policy()),
        (None, a_policy(exemptions=(an_exemption(),))),
        (None, a_policy(Mode.ALERT)),
        (None, a_policy(Mode.OBSERVE)),
        (None, Policy(Mode.ENFORCE, enforcement=Enforcement(frozenset(), allowed=True))),
        (None, OBJECTS_ENFORCED),
    ],
    ids=["fixed", "doubtful", "exempt", "alert", "observe", "no rule listed", "other rule listed"],
)
def test_a_second_look_may_spare_the_cluster(
    world: World, key: KeyFact | None, policy: Policy
) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster() if key else BAD}
    world.keys.facts = {KEY.arn: key} if key else {}
    world.policy = policy

    assert world.enforce(REQUEST) is NextStep.SPARED_NO_LONGER_CALLED_FOR

    assert world.journal == ["publish enforcement.skipped"]


def test_termination_protection_is_respected(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: PROTECTED}

    assert world.enforce(REQUEST) is NextStep.SPARED_PROTECTED

    assert world.journal == ["publish enforcement.skipped"]


def test_override_lifts_the_protection_and_terminates(world: World) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE

    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED

    assert world.journal == [
        f"unprotect {CLUSTER_ID}",
        f"terminate {CLUSTER_ID}",
        "publish enforcement.done",
    ]
    assert world.alerts.published[0].detail == "Its termination protection was lifted."


def test_a_refusal_is_told(world: World) -> None:
    world.clusters.failures["terminate"] = REFUSED

    assert world.enforce(REQUEST) is NextStep.TERMINATION_REFUSED

    assert world.journal == [f"terminate {CLUSTER_ID}", "publish enforcement.failed"]
    assert world.alerts.published[0].detail == str(REFUSED)


@pytest.mark.parametrize("failing", ["unprotect", "terminate"])
def test_a_refusal_under_override_restores_the_protection(world: World, failing: str) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures[failing] = REFUSED

    assert world.enforce(REQUEST) is NextStep.TERMINATION_REFUSED

    assert world.journal[-2:] == [f"protect {CLUSTER_ID}", "publish enforcement.failed"]


def test_a_cluster_that_vanishes_under_override_needs_no_protection(world: World) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures["terminate"] = ClusterNotFoundError("gone")

    assert world.enforce(REQUEST) is NextStep.CLUSTER_ENDED

    assert f"protect {CLUSTER_ID}" not in world.journal


def test_a_protection_that_cannot_be_restored_is_told(world: World) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures |= {
        "terminate": REFUSED,
        "protect": TerminationRefusedError("answered AccessDeniedException"),
    }

    assert world.enforce(REQUEST) is NextStep.TERMINATION_REFUSED

    assert world.alerts.published[0].detail == (
        f"{REFUSED}; its termination protection may be off: answered AccessDeniedException"
    )


@pytest.mark.parametrize("failing", ["unprotect", "terminate"])
def test_a_transient_error_under_override_restores_the_protection_and_flies(
    world: World, failing: str
) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures[failing] = TRANSIENT

    with pytest.raises(ConnectionError, match="EMR is away"):
        world.enforce(REQUEST)

    assert world.journal[-1] == f"protect {CLUSTER_ID}"
    assert world.alerts.published == []


def test_a_transient_error_flies_even_when_nothing_can_be_restored(world: World) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures |= {"terminate": TRANSIENT, "protect": REFUSED}

    with pytest.raises(ConnectionError, match="EMR is away"):
        world.enforce(REQUEST)


def test_a_transient_error_flies(world: World) -> None:
    world.clusters.failures["terminate"] = TRANSIENT

    with pytest.raises(ConnectionError, match="EMR is away"):
        world.enforce(REQUEST)

    assert world.journal == [f"terminate {CLUSTER_ID}"]


def test_a_log_object_is_read_again_and_costs_its_cluster_its_life(world: World) -> None:
    world.policy = OBJECTS_ENFORCED
    world.objects.heads = {a_log_object().key: encrypted("AES256")}

    assert world.enforce(OBJECT_REQUEST) is NextStep.TERMINATION_STARTED

    assert told(world)[3] == ["EMRLOG-101"]


@pytest.mark.parametrize("head", [encrypted("aws:kms", KEY.arn), UNREADABLE, GONE])
def test_a_log_object_that_is_fixed_doubtful_or_gone_spares_the_cluster(
    world: World, head: object
) -> None:
    world.policy = OBJECTS_ENFORCED
    world.objects.heads = {a_log_object().key: head}  # type: ignore[dict-item]

    assert world.enforce(OBJECT_REQUEST) is NextStep.SPARED_NO_LONGER_CALLED_FOR


@pytest.mark.parametrize("folder", ["j-ANOTHERCLUSTER", "j-UNKNOWNCLUSTER", "elsewhere"])
def test_log_objects_of_others_do_not_count(world: World, folder: str) -> None:
    another = a_cluster(id="j-ANOTHERCLUSTER", arn=BAD.arn.replace(CLUSTER_ID, "j-ANOTHERCLUSTER"))
    world.clusters.known[another.id] = another
    world.policy = OBJECTS_ENFORCED
    key = f"emr/{folder}/stderr.gz"
    world.objects.heads = {key: encrypted("AES256")}

    step = world.enforce(RequestEnforcement(BAD.arn, (a_log_object(key),)))

    assert step is NextStep.SPARED_NO_LONGER_CALLED_FOR


def test_an_alert_that_fails_flies(world: World) -> None:
    world.alerts.failure = ConnectionError("SNS is away")

    with pytest.raises(ConnectionError, match="SNS is away"):
        world.enforce(REQUEST)
