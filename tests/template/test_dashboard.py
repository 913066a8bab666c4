import json
from itertools import combinations
from typing import Any

import msgspec
import pytest

from emr_log_guard.observability import Metric, metrics
from tests.template.dashboard import Dashboard, TextWidget, Widget
from tests.template.stack import EVERYTHING, Stack, template, text

WHOLE = Stack(EVERYTHING)
DEFAULT = Stack()
STACKS = {
    "default": DEFAULT,
    "everything": WHOLE,
    "no schedules": Stack({"RescanSchedule": "", "DeepRescanSchedule": ""}),
    **{name: Stack({name: value}) for name, value in EVERYTHING.items()},
}
AWS_METRICS = {
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    ("AWS/Lambda", "Errors", "FunctionName"): "AWS::Serverless::Function",
    ("AWS/Lambda", "Throttles", "FunctionName"): "AWS::Serverless::Function",
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName"): "AWS::SQS::Queue",
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"): "AWS::SQS::Queue",
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    ("AWS/States", "ExecutionsFailed", "StateMachineArn"): "AWS::Serverless::StateMachine",
    ("AWS/States", "ExecutionsTimedOut", "StateMachineArn"): "AWS::Serverless::StateMachine",
    # https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    ("AWS/SNS", "NumberOfNotificationsFailed", "TopicName"): "AWS::SNS::Topic",
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    ("AWS/DynamoDB", "ReadThrottleEvents", "TableName"): "AWS::DynamoDB::Table",
    ("AWS/DynamoDB", "WriteThrottleEvents", "TableName"): "AWS::DynamoDB::Table",
}
NAMES = {
    "QueueName": ".QueueName",
    "TopicName": ".TopicName",
    "FunctionName": "",
    "StateMachineArn": "",
    "TableName": "",
}
"""What identifies a resource in a dimension: an attribute, or the value of Ref."""


def dashboard(stack: Stack) -> Dashboard:
    """The dashboard of a stack; a body that CloudWatch would reject is refused."""
    body = text(stack.resources["OperationsDashboard"]["Properties"]["DashboardBody"])
    return msgspec.json.decode(body, type=Dashboard)


def overlap(one: Widget, other: Widget) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@pytest.mark.parametrize("name", STACKS)
def test_dashboard_is_valid_and_its_widgets_do_not_overlap(name: str) -> None:
    found = dashboard(STACKS[name])

    assert all(widget.x + widget.width <= 24 for widget in found.widgets)
    assert not [pair for pair in combinations(found.widgets, 2) if overlap(*pair)]


def test_invalid_dashboard_is_refused() -> None:
    body = json.loads(text(WHOLE.resources["OperationsDashboard"]["Properties"]["DashboardBody"]))
    body["widgets"][2]["properties"]["periods"] = 60

    with pytest.raises(msgspec.ValidationError, match="periods"):
        msgspec.convert(body, Dashboard)


def test_dashboard_shows_exactly_the_custom_metrics() -> None:
    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    namespace = text(variables["POWERTOOLS_METRICS_NAMESPACE"])
    shown = dashboard(DEFAULT).shown()
    own = [each for each in shown if not each.namespace.startswith("AWS/")]

    assert {(each.namespace, each.dimension, each.value) for each in own} == {
        (namespace, "service", metrics.provider.service)
    }
    assert {each.name for each in own} == set(Metric)


@pytest.mark.parametrize("name", STACKS)
def test_aws_metrics_on_the_dashboard_are_of_existing_resources(name: str) -> None:
    stack = STACKS[name]
    for shown in dashboard(stack).shown():
        if shown.namespace.startswith("AWS/"):
            kind = AWS_METRICS[shown.namespace, shown.name, shown.dimension]
            names = {f"<{one}{NAMES[shown.dimension]}>" for one in stack.of_type(kind)}
            assert shown.value in names


@pytest.mark.parametrize("name", STACKS)
def test_dashboard_shows_every_alarm(name: str) -> None:
    stack = STACKS[name]
    alarms = stack.of_type("AWS::CloudWatch::Alarm")

    assert dashboard(stack).alarms == {f"<{alarm}.Arn>" for alarm in alarms}


@pytest.mark.parametrize("title", ["Errors", "Throttles"])
@pytest.mark.parametrize("name", STACKS)
def test_dashboard_shows_every_function(name: str, title: str) -> None:
    stack = STACKS[name]

    shown = {(each.value, each.options.label) for each in dashboard(stack).shown(title)}

    assert shown == {
        (f"<{function}>", properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"])
        for function, properties in stack.functions.items()
    }


def test_dashboard_shows_every_queue() -> None:
    found = dashboard(WHOLE)
    [dead] = found.shown("Dead letters")
    waiting = {shown.value for shown in found.shown("Age of the oldest message, in seconds")}

    queues = {f"<{name}.QueueName>" for name in WHOLE.of_type("AWS::SQS::Queue")}
    assert waiting | {dead.value} == queues
    assert dead.value == "<DeadLetterQueue.QueueName>"


def test_dashboard_name_contains_the_region() -> None:
    """Dashboard names are shared by all Regions of an account."""
    name: Any = WHOLE.of_type("AWS::CloudWatch::Dashboard")["OperationsDashboard"]["DashboardName"]

    assert text(name) == "<AWS::StackName>-<AWS::Region>"


def test_dashboard_text_has_line_breaks_and_no_backslashes() -> None:
    """A literal block of YAML keeps a backslash, so JSON's escape for a line break is written once.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    [words] = [
        each.properties.markdown
        for each in dashboard(DEFAULT).widgets
        if isinstance(each, TextWidget)
    ]

    assert words.splitlines()[0] == "# EMR Log Guard"
    assert "\\" not in words


def test_dashboard_can_be_disabled() -> None:
    assert not Stack({"Dashboard": "false"}).of_type("AWS::CloudWatch::Dashboard")
