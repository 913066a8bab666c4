import pytest

from emr_log_guard.domain.clusters import (
    LOG_TYPES,
    Session,
    Step,
    StepState,
    WorkloadFacts,
    later_state,
)
from emr_log_guard.domain.unresolved import Unresolved
from tests.unit.builders import ACCOUNT, ANOTHER_KEY, KEY, REGION, a_cluster, cluster_facts


def test_cluster_account_and_region_come_from_its_arn() -> None:
    cluster = a_cluster()

    assert (cluster.account, cluster.region) == (ACCOUNT, REGION)


def test_cluster_with_an_invalid_arn_raises_value_error() -> None:
    with pytest.raises(ValueError, match="not an ARN: j-1"):
        _ = a_cluster(arn="j-1").account


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ("STARTING", False),
        ("BOOTSTRAPPING", False),
        ("RUNNING", False),
        ("WAITING", False),
        ("TERMINATING", True),
        ("TERMINATED", True),
        ("TERMINATED_WITH_ERRORS", True),
        ("A_NEW_STATE", False),
    ],
)
def test_cluster_counts_as_terminated_from_terminating_on(state: str, *, ended: bool) -> None:
    assert a_cluster(state=state).terminating is ended


STEP = WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), None)
SESSION = WorkloadFacts(Session("is-1", "ide", "s3n://example-logs/emr/"), None)
DOUBT = Unresolved("not listed")


def test_each_log_uri_is_listed_once() -> None:
    facts = cluster_facts(steps=(STEP, STEP), sessions=(SESSION,))

    assert facts.log_uris == ("s3n://example-logs/emr/", "s3://elsewhere/")


@pytest.mark.parametrize(
    ("steps", "sessions", "known", "unlisted"),
    [
        ((STEP,), (SESSION,), (STEP, SESSION), None),
        (DOUBT, (SESSION,), (SESSION,), DOUBT),
        ((STEP,), DOUBT, (STEP,), DOUBT),
    ],
)
def test_unlistable_steps_do_not_hide_sessions_nor_the_reverse(
    steps: tuple[WorkloadFacts, ...] | Unresolved,
    sessions: tuple[WorkloadFacts, ...] | Unresolved,
    known: tuple[WorkloadFacts, ...],
    unlisted: Unresolved | None,
) -> None:
    facts = cluster_facts(steps=steps, sessions=sessions)

    assert (facts.workloads, facts.unlisted) == (known, unlisted)


def test_disabled_log_upload_leaves_only_the_log_uris_of_steps() -> None:
    cluster = a_cluster(log_upload_policies=dict.fromkeys(LOG_TYPES, "disabled"))

    assert cluster_facts(cluster, steps=(STEP,)).log_uris == ("s3://elsewhere/",)
    assert cluster.log_uri is not None
    assert cluster.archive_uri is None


def test_cloudwatch_key_of_a_session_is_among_the_cluster_keys() -> None:
    session = WorkloadFacts(Session("is-1", "ide", cloudwatch_logs=True), KEY, ANOTHER_KEY)

    assert cluster_facts(sessions=(session,)).key_arns == (KEY.arn, ANOTHER_KEY.arn)


@pytest.mark.parametrize(
    ("state", "started", "expected"),
    [
        (None, False, ""),
        (StepState.PENDING, False, "cancellable"),
        (StepState.CANCEL_PENDING, False, ""),
        (StepState.RUNNING, True, "cancellable"),
        (StepState.COMPLETED, True, "finished"),
        (StepState.FAILED, True, "finished"),
        (StepState.INTERRUPTED, True, "finished"),
        (StepState.CANCELLED, True, "finished"),
        (StepState.CANCELLED, False, "finished never_ran"),
    ],
)
def test_step_state_decides_whether_it_can_be_cancelled_is_finished_or_never_ran(
    state: StepState | None, expected: str, *, started: bool
) -> None:
    step = Step("s-1", "load", state=state, started=started)

    leases = ("cancellable", "finished", "never_ran")
    assert " ".join(lease for lease in leases if getattr(step, lease)) == expected


@pytest.mark.parametrize(
    ("known", "announced", "later"),
    [
        ("STARTING", "RUNNING", "RUNNING"),
        ("RUNNING", "STARTING", "RUNNING"),
        ("RUNNING", "WAITING", "WAITING"),
        ("WAITING", "RUNNING", "RUNNING"),
        ("TERMINATING", "WAITING", "TERMINATING"),
        ("RUNNING", "TERMINATED_WITH_ERRORS", "TERMINATED_WITH_ERRORS"),
        ("TERMINATED", "STARTING", "TERMINATED"),
        ("TERMINATED_WITH_ERRORS", "TERMINATED", "TERMINATED_WITH_ERRORS"),
        ("RUNNING", None, "RUNNING"),
        ("RUNNING", "NEW_STATE_OF_EMR", "RUNNING"),
        ("", "STARTING", "STARTING"),
    ],
)
def test_cluster_state_only_moves_forward(known: str, announced: str | None, later: str) -> None:
    assert later_state(known, announced) == later
