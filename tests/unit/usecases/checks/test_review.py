from datetime import timedelta
from itertools import chain

import pytest

from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.events.log_objects import LogObjectCheckRequest
from emr_log_guard.usecases.checks.review import ReviewFindings
from tests.unit.builders import a_cluster
from tests.unit.fakes import FakeRechecks
from tests.unit.usecases.world import World

IDS = [f"j-{letter}" for letter in "ABCDE"]


class NoObjects:
    def recheck(self, request: LogObjectCheckRequest) -> None:
        raise AssertionError(request)


@pytest.fixture
def five(world: World) -> World:
    """Five clusters without a log key, each with an open finding."""
    for cluster_id in IDS:
        cluster = a_cluster(
            id=cluster_id, log_key_identifier=None, arn=f"{a_cluster().arn[:-1]}{cluster_id[-1]}"
        )
        world.clusters.known[cluster_id] = cluster
        world.check_cluster(ClusterCheckRequest(cluster_id))
    return world


def reviewed(world: World, most: int) -> list[str]:
    rechecks = FakeRechecks()
    review = ReviewFindings(
        world.repository, rechecks, NoObjects(), world.notify_change, world.clock, most
    )
    assert review()["clusters"] == len(rechecks.asked)
    return rechecks.asked


def test_all_open_clusters_are_rechecked_while_the_share_allows_it(five: World) -> None:
    assert reviewed(five, 5) == IDS


def test_of_more_clusters_than_the_share_allows_each_review_takes_the_next(five: World) -> None:
    asked = []
    for _ in range(5):
        asked.append(reviewed(five, 2))
        five.now += timedelta(hours=1)

    assert [len(each) for each in asked] == [2] * 5
    assert set(asked[0] + asked[1] + asked[2]) == set(IDS)
    assert sorted(chain.from_iterable(asked)) == sorted(IDS * 2)
