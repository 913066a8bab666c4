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


def test_a_cluster_runs_in_the_account_and_the_region_of_its_arn() -> None:
    cluster = a_cluster()

    assert (cluster.account, cluster.region) == (ACCOUNT, REGION)


def test_a_cluster_without_an_arn_is_a_mistake_of_ours() -> None:
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
def test_a_cluster_has_ended_from_the_moment_it_is_terminating(state: str, *, ended: bool) -> None:
    assert a_cluster(state=state).terminating is ended


STEP = WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), None)
SESSION = WorkloadFacts(Session("is-1", "ide", "s3n://example-logs/emr/"), None)
DOUBT = Unresolved("not listed")


def test_logs_go_to_each_log_uri_once() -> None:
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
def test_what_cannot_be_listed_hides_nothing_else(
    steps: tuple[WorkloadFacts, ...] | Unresolved,
    sessions: tuple[WorkloadFacts, ...] | Unresolved,
    known: tuple[WorkloadFacts, ...],
    unlisted: Unresolved | None,
) -> None:
    facts = cluster_facts(steps=steps, sessions=sessions)

    assert (facts.workloads, facts.unlisted) == (known, unlisted)


def test_logs_that_are_not_uploaded_go_nowhere_but_where_others_do() -> None:
    cluster = a_cluster(log_upload_policies=dict.fromkeys(LOG_TYPES, "disabled"))

    assert cluster_facts(cluster, steps=(STEP,)).log_uris == ("s3://elsewhere/",)
    assert cluster.log_uri is not None
    assert cluster.archive_uri is None


def test_the_key_of_a_sessions_logs_in_cloudwatch_is_one_of_the_clusters_keys() -> None:
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
def test_a_steps_state_says_what_it_may_still_do(
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
def test_a_state_only_moves_forward(known: str, announced: str | None, later: str) -> None:
    assert later_state(known, announced) == later
