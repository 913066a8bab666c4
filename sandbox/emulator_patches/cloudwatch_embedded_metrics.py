"""CloudWatch turns log events in the embedded metric format into metrics. Upstream: yes.

MiniStack only stores the log events.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sandbox.emulator_patches.hooks import part, wrap

type Event = Mapping[str, Any]


def install() -> None:
    """Record the metrics of every log event."""
    wrap("services.cloudwatch_logs", "_append_log_events", _measuring)


def _measuring(append: Callable[..., Any]) -> Callable[..., Any]:
    def append_log_events(stream: dict[str, Any], events: list[Event]) -> Any:  # noqa: ANN401
        appended = append(stream, events)
        for datum in _metrics(events):
            part("services.cloudwatch", "record_metric")(*datum)
        return appended

    return append_log_events


def _metrics(events: Iterable[Event]) -> Iterator[tuple[str, str, float, str, dict[str, str]]]:
    """Yield the namespace, metric, value, unit and dimensions of each value."""
    for event in events:
        try:
            line = json.loads(event["message"])
            directives = line["_aws"]["CloudWatchMetrics"]
        except (ValueError, KeyError, TypeError):
            continue  # not in the format
        for directive in directives:
            for names in directive["Dimensions"]:
                dimensions = {name: line[name] for name in names}
                for metric in directive["Metrics"]:
                    values = line[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        unit = metric.get("Unit", "None")
                        yield directive["Namespace"], metric["Name"], value, unit, dimensions
