import pytest

from tests.unit.builders import ACCOUNT, REGION, a_cluster


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
    assert a_cluster(state=state).ended is ended
