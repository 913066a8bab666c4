"""CloudFormation creates alarms on metric math expressions. Upstream: yes.

MiniStack's CloudFormation refuses them. With this patch such an alarm can be described but keeps
its initial state: the expression is not evaluated.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import wrap

_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Unit")


def install() -> None:
    """Create an alarm's record from `Metrics`, too."""
    wrap("services.cloudformation.provisioners", "_cw_metric_alarm_record", _with_expressions)


def _with_expressions(record: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def alarm_record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if not properties.get("Metrics"):
            return record(name, properties)
        stand_in = {"MetricName": "expression", "Namespace": "expression"}
        alarm = record(name, properties | {"Metrics": []} | stand_in)
        left = {field: value for field, value in alarm.items() if field not in _OF_ONE_METRIC}
        return left | {"Metrics": properties["Metrics"]}

    return alarm_record
