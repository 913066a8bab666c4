"""What the guard measures arrives where the deployed dashboard and alarms look for it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sandbox.running import DEFAULT_STACK
from tests.e2e.deployed import Deployed
from tests.template.dashboard import Dashboard

type Eventually = Callable[..., Any]

STACKS = ("alert_mode", "enforce_mode")


def dashboard(stack: Deployed) -> Dashboard:
    name = f"{DEFAULT_STACK}-{stack.account.region}"
    answer = stack.account.client("cloudwatch").get_dashboard(DashboardName=name)
    return msgspec.json.decode(answer["DashboardBody"], type=Dashboard)


def alarms(stack: Deployed) -> list[Any]:
    client = stack.account.client("cloudwatch")
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=DEFAULT_STACK)
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def values(
    stack: Deployed, namespace: str, name: str, dimension: str, value: str
) -> dict[str, float]:
    """The statistics of a metric over the last hour; nothing when it has no value."""
    now = datetime.now(UTC)
    answer = stack.account.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": dimension, "Value": value}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86400,
        Statistics=["Maximum", "SampleCount"],
    )
    return {
        statistic: max(point[statistic] for point in answer["Datapoints"])
        for statistic in ("Maximum", "SampleCount")
        if answer["Datapoints"]
    }


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in STACKS]
)
def test_dashboard_shows_every_alarm_of_the_stack(
    request: pytest.FixtureRequest, name: str
) -> None:
    stack: Deployed = request.getfixturevalue(name)
    made = {alarm["AlarmArn"] for alarm in alarms(stack)}

    assert dashboard(stack).alarms == made
    assert len(made) == len([each for each in stack.resources() if each.endswith("Alarm")])


@pytest.mark.xdist_group("alert_mode")
def test_dashboard_metrics_are_emitted_by_the_functions(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = alert_mode.fixtures.launch("measured")  # without a key
    eventually(lambda: alert_mode.inbox.about(cluster_id, "finding.opened"))
    alert_mode.invoke("ReviewFindingsFunction", {"detail-type": "Scheduled Event"})

    shown = {each.name: each for each in dashboard(alert_mode).shown()}
    names = ("ClustersChecked", "OpenHighFindings", "OpenCriticalFindings", "AlertLatency")

    def arrived() -> dict[str, dict[str, float]] | None:
        """What a function measured comes with its log, when it is done."""
        found = {name: values(alert_mode, *shown[name][:4]) for name in names}
        return found if all(found.values()) else None

    measured = eventually(arrived)
    assert measured["OpenHighFindings"]["Maximum"] >= 1
    assert measured["AlertLatency"]["Maximum"] < timedelta(hours=1).total_seconds()


@pytest.mark.xdist_group("alert_mode")
def test_review_emits_the_metric_of_the_silence_alarm(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    name = alert_mode.resource("GuardSilentAlarm")
    [alarm] = [each for each in alarms(alert_mode) if each["AlarmName"] == name]
    [dimension] = alarm["Dimensions"]
    watched = alarm["Namespace"], alarm["MetricName"], dimension["Name"], dimension["Value"]
    before = values(alert_mode, *watched).get("SampleCount", 0)

    alert_mode.invoke("ReviewFindingsFunction", {"detail-type": "Scheduled Event"})

    eventually(lambda: values(alert_mode, *watched).get("SampleCount", 0) > before)
    assert (alarm["Statistic"], alarm["TreatMissingData"]) == ("SampleCount", "breaching")
