"""Many launches at once under low quotas: what is alerted, and what it costs. No times."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import EmrPace
from sandbox.calls import EmrCalls, emr_calls
from sandbox.faults import Fault
from sandbox.faults.injecting import Faults
from sandbox.quotas import Quota
from tests.e2e.deployed import Deployed, deployed

pytestmark = pytest.mark.xdist_group("storm")

type Eventually = Callable[..., Any]

CLUSTERS, STEPS = 8, 2
QUOTAS = {"DescribeCluster": Quota(2, 0.25), "ListSteps": Quota(2, 0.25)}
PACE = EmrPace(launch=6, step=40, termination=1)
"""Clusters that are alive until EMR has described all of them once."""
LIFETIME = PACE.launch + PACE.step + PACE.termination
QUIET = 3
"""Seconds until the events of a cluster are in the queue."""
OUTAGE = 15
"""Seconds for which EMR refuses everything."""


@dataclass(frozen=True, slots=True)
class Storm:
    """What was launched, and what came of it over the clusters' whole lives."""

    stack: Deployed
    good: list[str]
    bad: list[str]
    alerts: dict[str, list[dict[str, Any]]]
    calls: EmrCalls


@pytest.fixture(scope="module")
def storm(
    built: Path, tmp_path_factory: pytest.TempPathFactory, eventually: Eventually
) -> Iterator[Storm]:
    """Clusters launched at once, every second one without a log key, until all is checked."""
    calls = tmp_path_factory.mktemp("storm") / "calls"
    settings = {"emr_quotas": QUOTAS, "batching_windows": True, "calls": calls, "faults": True}
    with deployed(built, pace=PACE, settings=settings, EmrApiShare="0.5") as stack:
        with ThreadPoolExecutor(CLUSTERS) as pool:
            ids = list(pool.map(lambda place: launch(stack, place), range(CLUSTERS)))
        time.sleep(LIFETIME + QUIET)
        eventually(lambda: stack.idle("ClusterEventsQueue"))
        alerts = {cluster_id: stack.inbox.about(cluster_id) for cluster_id in ids}
        yield Storm(stack, ids[::2], ids[1::2], alerts, emr_calls(calls))


def launch(stack: Deployed, place: int) -> str:
    """Launch a cluster that terminates after its steps."""
    step = {"Name": "step", "HadoopJarStep": {"Jar": "command-runner.jar"}}
    return stack.fixtures.launch(
        f"storm-{place}",
        LogEncryptionKmsKeyId=None if place % 2 else stack.keys.approved,
        Steps=[step] * STEPS,
        Instances={"KeepJobFlowAliveWhenNoSteps": False, "InstanceCount": 3},
    )


def opened_by(alerts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The findings that alerts report as open."""
    return [
        (finding["rule_id"], finding["compliance"])
        for alert in alerts
        if alert["kind"] != "finding.resolved"
        for finding in alert["findings"]
    ]


def test_each_non_compliant_cluster_of_a_storm_is_alerted_exactly_once(storm: Storm) -> None:
    opened = {cluster_id: opened_by(storm.alerts[cluster_id]) for cluster_id in storm.bad}

    assert opened == {each: [("EMRLOG-002", "NON_COMPLIANT")] for each in storm.bad}


def test_no_compliant_cluster_of_a_storm_is_alerted_although_calls_are_throttled(
    storm: Storm,
) -> None:
    assert storm.calls.refused
    assert not [alert for cluster_id in storm.good for alert in storm.alerts[cluster_id]]


def test_clusters_and_steps_of_a_storm_are_read_about_once(storm: Storm) -> None:
    assert storm.calls.answered["DescribeCluster"] <= CLUSTERS * 1.25
    assert storm.calls.answered["ListSteps"] <= CLUSTERS * 1.5


def test_clusters_that_are_launched_while_emr_refuses_everything_are_judged_right_afterwards(
    storm: Storm, eventually: Eventually
) -> None:
    stack, faults = storm.stack, Faults(storm.stack.account.endpoint)
    before = faults.met()

    with faults.injected(Fault("elasticmapreduce", status=503)):
        good, bad = launch(stack, 0), launch(stack, 1)
        eventually(lambda: faults.met() > before)
        time.sleep(OUTAGE)
        assert not [*stack.inbox.about(good), *stack.inbox.about(bad)]

    eventually(lambda: stack.inbox.about(bad, "finding.opened"))
    eventually(lambda: stack.idle("ClusterEventsQueue"))
    assert opened_by(stack.inbox.about(bad)) == [("EMRLOG-002", "NON_COMPLIANT")]
    assert stack.inbox.about(good) == []
