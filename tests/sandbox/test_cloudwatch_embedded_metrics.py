import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox import Sandbox

DIRECTIVE = {
    "Namespace": "Test",
    "Dimensions": [["service"]],
    "Metrics": [{"Name": "Late", "Unit": "Seconds"}, {"Name": "Done"}],
}


def written(sandbox: Sandbox, *messages: str) -> None:
    """Write these lines to a log."""
    logs, now = sandbox.client("logs"), int(time.time() * 1000)
    group = f"metrics-{now}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    events: list[Any] = [{"timestamp": now, "message": message} for message in messages]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def statistics(sandbox: Sandbox, name: str, service: str) -> list[tuple[float, float, str]]:
    now = datetime.now(UTC)
    answer = sandbox.client("cloudwatch").get_metric_statistics(
        Namespace="Test",
        MetricName=name,
        Dimensions=[{"Name": "service", "Value": service}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86400,
        Statistics=["Sum", "SampleCount"],
    )
    return [(d["SampleCount"], d["Sum"], d["Unit"]) for d in answer["Datapoints"]]


def test_log_line_in_the_embedded_format_becomes_a_metric(sandbox: Sandbox) -> None:
    line = {
        "_aws": {"Timestamp": 1, "CloudWatchMetrics": [DIRECTIVE]},
        "service": "one",
        "Late": [1.5, 2.5],
        "Done": 1,
    }
    written(sandbox, json.dumps(line), "START", "{}", '["_aws"]', '{"_aws": 1}')

    assert statistics(sandbox, "Late", "one") == [(2, 4, "Seconds")]
    assert statistics(sandbox, "Done", "one") == [(1, 1, "None")]
    assert statistics(sandbox, "Late", "another") == []
