from collections.abc import Iterator
from typing import Any

import pytest

from emr_log_guard.observability import Metric
from tests.template.stack import EVERYTHING, Stack, template, text

WHOLE = Stack(EVERYTHING)
ALARMS = WHOLE.of_type("AWS::CloudWatch::Alarm")
OPERATIONS = [{"Ref": "OperationsTopic"}]
SILENCE = {"GuardSilentAlarm", "RescanOverdueAlarm"}
"""The alarms that missing data raises."""
TASKS = {"PlanRescanFunction", "ScanShardFunction", "FinishRescanFunction"}
"""The state machine retries these functions: a final failure is a failed or incomplete re-scan."""


def watched(alarm: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """What an alarm watches: each namespace, metric and its dimensions."""
    stats = (
        each["MetricStat"]["Metric"] for each in alarm.get("Metrics", ()) if "MetricStat" in each
    )
    for metric in [alarm] if "MetricName" in alarm else stats:
        dimensions = {each["Name"]: text(each["Value"]) for each in metric["Dimensions"]}
        yield text(metric["Namespace"]), metric["MetricName"], dimensions


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_notifies_operations_when_raised_and_when_resolved(name: str) -> None:
    alarm = ALARMS[name]

    assert (alarm["AlarmActions"], alarm["OKActions"]) == (OPERATIONS, OPERATIONS)
    missing = "breaching" if name in SILENCE else "notBreaching"
    assert alarm["TreatMissingData"] == missing
    assert len(alarm["AlarmDescription"].split()) > 10


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_on_a_custom_metric_names_an_existing_one(name: str) -> None:
    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    own = text(variables["POWERTOOLS_METRICS_NAMESPACE"])
    for namespace, metric, dimensions in watched(ALARMS[name]):
        if not namespace.startswith("AWS/"):
            assert (namespace, dimensions) == (own, {"service": "emr-log-guard"})
            assert metric in set(Metric)


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_is_within_cloudwatch_limits(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html"""
    alarm = ALARMS[name]
    metrics = list(watched(alarm))
    expressions = [each for each in alarm.get("Metrics", ()) if "Expression" in each]

    assert 1 <= len(metrics) <= 10
    assert [each["ReturnData"] for each in expressions] == [True] * ("Metrics" in alarm)
    period = alarm.get("Period", 300)
    limit = 7 * 86400 if period >= 3600 else 86400
    assert period * int(alarm["EvaluationPeriods"]) <= limit


def test_maximum_of_rescan_overdue_hours_is_within_the_alarm_limit() -> None:
    parameter = template()["Parameters"]["RescanOverdueHours"]

    assert parameter["MaxValue"] * ALARMS["RescanOverdueAlarm"]["Period"] == 7 * 86400


def test_metrics_sent_only_on_errors_are_summed_and_may_arrive_late() -> None:
    """Otherwise alarms on DynamoDB's metrics would never return to OK: they ignore missing data."""
    on_many = {name: alarm for name, alarm in ALARMS.items() if "Metrics" in alarm}

    assert "FindingsTableAlarm" in on_many
    for name, alarm in on_many.items():
        [expression] = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
        usual = f"{'MAX' if name == 'ClusterChecksLateAlarm' else 'SUM'}(FILL(METRICS(), 0))"
        counts_and_an_age = "FILL(failed, 0) + FILL(errors, 0) + (FILL(oldest, 0) > 900)"
        assert expression == (counts_and_an_age if name == "ReencryptionAlarm" else usual)
        assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (2, 1)
    assert not [
        name
        for name, alarm in ALARMS.items()
        for namespace, *_ in watched(alarm)
        if namespace == "AWS/DynamoDB" and name not in on_many
    ]


@pytest.mark.parametrize(
    "parameters",
    [{"RescanOverdueHours": "0"}, {"RescanSchedule": "", "DeepRescanSchedule": ""}],
)
def test_without_scheduled_rescans_there_is_no_overdue_alarm(parameters: dict[str, str]) -> None:
    alarms = Stack(parameters).of_type("AWS::CloudWatch::Alarm")

    assert SILENCE & set(alarms) == {"GuardSilentAlarm"}


def test_lost_events_of_every_rule_raise_an_alarm() -> None:
    watches = [dimensions for *_, dimensions in watched(ALARMS["EventsLostAlarm"])]

    rules = [f"<{name}>" for name in WHOLE.of_type("AWS::Events::Rule")]
    assert sorted(each["RuleName"] for each in watches) == sorted(rules)


def test_lost_failures_of_every_function_raise_an_alarm() -> None:
    watches = {each["FunctionName"] for *_, each in watched(ALARMS["FailuresLostAlarm"])}

    assert watches == {
        f"<{name}>" for name, function in WHOLE.functions.items() if "EventInvokeConfig" in function
    }


def alarms_on(metric: str, **dimensions: str) -> list[str]:
    """The names of the alarms on a metric with these dimensions."""
    return [
        name
        for name, alarm in ALARMS.items()
        if (metric, dimensions) in [(found, named) for _, found, named in watched(alarm)]
    ]


@pytest.mark.parametrize("function", sorted(set(WHOLE.functions) - TASKS))
def test_throttled_function_raises_the_throttled_alarm(function: str) -> None:
    assert alarms_on("Throttles", FunctionName=f"<{function}>") == ["ThrottledAlarm"]


@pytest.mark.parametrize("function", sorted(set(WHOLE.functions) - TASKS))
def test_failing_function_raises_the_alarm_of_its_purpose(function: str) -> None:
    """Imports into Security Hub are retried for hours, so only late ones raise an alarm."""
    late = function == "ImportFindingsFunction"
    found = alarms_on("IteratorAge" if late else "Errors", FunctionName=f"<{function}>")

    by_meaning = {
        "EmitEventsFunction": "DeliveryFailedAlarm",
        "EnforceFunction": "EnforcementFailedAlarm",
        "ImportFindingsFunction": "SecurityHubLateAlarm",
        "NotifyAmazonQFunction": "DeliveryFailedAlarm",
        "NotifySlackFunction": "DeliveryFailedAlarm",
        "ReencryptFunction": "ReencryptionAlarm",
    }
    assert found == [by_meaning.get(function, "ChecksFailedAlarm")]
    name = WHOLE.variables(function)["POWERTOOLS_SERVICE_NAME"]
    assert name in ALARMS[found[0]]["AlarmDescription"]


def test_messages_that_fail_alone_raise_an_alarm() -> None:
    """Lambda counts no error of a function that names the messages that failed."""
    assert alarms_on("MessagesFailed", service="emr-log-guard") == ["ChecksFailedAlarm"]


@pytest.mark.parametrize(
    ("metric", "dimensions"),
    [
        ("OldestUncheckedLaunch", {"service": "emr-log-guard"}),
        ("ApproximateAgeOfOldestMessage", {"QueueName": "<ClusterEventsQueue.QueueName>"}),
    ],
)
def test_cluster_that_waits_for_its_check_raises_an_alarm(
    metric: str, dimensions: dict[str, str]
) -> None:
    assert alarms_on(metric, **dimensions) == ["ClusterChecksLateAlarm"]


@pytest.mark.parametrize("metric", ["ExecutionsFailed", "ExecutionsTimedOut"])
def test_failed_rescan_raises_an_alarm(metric: str) -> None:
    assert alarms_on(metric, StateMachineArn="<RescanStateMachine>") == ["RescanFailedAlarm"]


@pytest.mark.parametrize(
    ("namespace", "metric"),
    [
        ("AWS/DynamoDB", "ReadThrottleEvents"),
        ("AWS/DynamoDB", "WriteThrottleEvents"),
        ("AWS/DynamoDB", "SystemErrors"),
        ("AWS/SNS", "NumberOfNotificationsFailed"),
        ("AWS/SNS", "NumberOfNotificationsFailedToRedriveToDlq"),
    ],
)
def test_errors_of_dynamodb_and_sns_raise_an_alarm(namespace: str, metric: str) -> None:
    found = {(n, m) for alarm in ALARMS.values() for n, m, _ in watched(alarm)}

    assert (namespace, metric) in found
