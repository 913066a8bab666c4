import json
from collections.abc import Callable
from typing import Any

from sandbox import Sandbox

type Eventually = Callable[..., Any]


def template(threshold: int) -> str:
    stat = {
        "Metric": {"Namespace": "AWS/Lambda", "MetricName": "Errors"},
        "Period": 300,
        "Stat": "Sum",
    }
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": "math",
            "AlarmDescription": "sums",
            "Metrics": [
                {"Id": "e", "MetricStat": stat, "ReturnData": False},
                {"Id": "all", "Expression": "SUM(METRICS())", "ReturnData": True},
            ],
            "EvaluationPeriods": 1,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
        },
    }
    return json.dumps({"Resources": {"Alarm": alarm}})


def test_stack_creates_an_alarm_on_metric_math(sandbox: Sandbox, eventually: Eventually) -> None:
    cloudformation, cloudwatch = sandbox.client("cloudformation"), sandbox.client("cloudwatch")

    cloudformation.create_stack(StackName="math", TemplateBody=template(1))
    eventually(lambda: sandbox.stack_status("math") == "CREATE_COMPLETE")
    cloudformation.update_stack(StackName="math", TemplateBody=template(2))
    eventually(lambda: sandbox.stack_status("math") == "UPDATE_COMPLETE")

    [alarm] = cloudwatch.describe_alarms(AlarmNames=["math"])["MetricAlarms"]
    assert (alarm["Threshold"], alarm["AlarmDescription"]) == (2, "sums")
    assert [each["Id"] for each in alarm["Metrics"]] == ["e", "all"]
    assert "MetricName" not in alarm
