import json
from datetime import timedelta
from math import sqrt
from typing import Any

import pytest

from emr_log_guard.domain.finding_record import LEASE, UNREAD_QUIET
from emr_log_guard.domain.reencrypted import ATTEMPTS, HELD
from emr_log_guard.events.sqs import SHORTEST_PART, retry_delay
from emr_log_guard.policy_document import WEBHOOK_SECRETS
from emr_log_guard.rendering.alerts.events import ENFORCEMENT_EVENTS, FINDING_EVENTS
from emr_log_guard.usecases.checks.cluster import BATCH_SECONDS
from emr_log_guard.usecases.replay import replay
from tests.template.stack import EVERYTHING, ROOT, Stack, template

WHOLE = Stack(EVERYTHING)
DEFAULT = Stack()
DEAD_LETTERS = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
TASKS = {"PlanRescanFunction", "ScanShardFunction", "FinishRescanFunction"}
"""The functions that the state machine invokes, retries, and records failures of."""


def test_default_parameters_deploy_monitoring_and_alerts_only() -> None:
    assert set(DEFAULT.functions) == {
        "CheckClusterFunction",
        "CheckKeyFunction",
        "CheckLogObjectsFunction",
        "EmitEventsFunction",
        "FinishRescanFunction",
        "PlanRescanFunction",
        "ReviewFindingsFunction",
        "ScanShardFunction",
    }
    assert DEFAULT.parameters["Mode"] == "alert"


@pytest.mark.parametrize(
    ("parameters", "function"),
    [
        ({"EnforcementAllowed": "true"}, "EnforceFunction"),
        ({"SlackWebhookSecretArn": EVERYTHING["SlackWebhookSecretArn"]}, "NotifySlackFunction"),
        ({"AmazonQNotifications": "true"}, "NotifyAmazonQFunction"),
        ({"SecurityHub": "true"}, "ImportFindingsFunction"),
    ],
)
def test_parameter_adds_a_function(parameters: dict[str, str], function: str) -> None:
    assert set(Stack(parameters).functions) - set(DEFAULT.functions) == {function}


def test_no_reference_to_an_absent_resource() -> None:
    for stack in (DEFAULT, WHOLE, *(Stack({name: value}) for name, value in EVERYTHING.items())):
        known = {*stack.resources, *stack.parameters}
        assert {name for name in referred(stack.resources) if "::" not in name} <= known


def test_command_knows_the_logical_ids_of_functions_and_queues() -> None:
    functions = {
        replay.CHECK_CLUSTER,
        replay.CHECK_KEY,
        replay.CHECK_LOG_OBJECTS,
        replay.EMIT_EVENTS,
        replay.IMPORT_FINDINGS,
        replay.NOTIFY_AMAZON_Q,
        replay.NOTIFY_SLACK,
        replay.REVIEW_FINDINGS,
    }
    queues = {
        replay.CLUSTER_EVENTS_QUEUE,
        replay.DEAD_LETTER_QUEUE,
        replay.ENFORCEMENT_QUEUE,
        replay.LOG_OBJECTS_QUEUE,
        replay.REENCRYPTION_QUEUE,
    }

    assert functions == set(WHOLE.functions) - {replay.ENFORCE, replay.REENCRYPT} - TASKS
    assert queues == set(WHOLE.of_type("AWS::SQS::Queue"))
    assert replay.RESCAN_STATE_MACHINE in WHOLE.resources
    assert template()["Outputs"]["DeadLetterQueueUrl"]["Value"] == {"Ref": replay.DEAD_LETTER_QUEUE}


def test_enforce_mode_requires_enforcement_allowed() -> None:
    rule = template()["Rules"]["EnforceModeMayTerminate"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Mode"}, "enforce"]}
    assert [one["Assert"] for one in rule["Assertions"]] == [
        {"Fn::Equals": [{"Ref": "EnforcementAllowed"}, "true"]}
    ]


def test_every_parameter_is_in_a_group_and_has_a_description() -> None:
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(template()["Parameters"])
    assert all(parameter["Description"] for parameter in template()["Parameters"].values())


def test_functions_run_on_the_python_version_that_the_project_is_developed_with() -> None:
    function = template()["Globals"]["Function"]

    assert function["Runtime"] == "python3.13"
    assert (ROOT / ".python-version").read_text().strip() == "3.13"
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    assert template()["Parameters"]["Architecture"]["Default"] == "arm64"
    assert function["Tracing"] == "Active"


@pytest.mark.parametrize("function", WHOLE.functions)
def test_function_has_its_code_and_its_name(function: str) -> None:
    properties = WHOLE.functions[function]
    folder = ROOT / properties["CodeUri"]

    assert (folder / "app.py").is_file()
    variables = WHOLE.variables(function)
    assert variables["POWERTOOLS_SERVICE_NAME"] == folder.name


@pytest.mark.parametrize("function", WHOLE.functions)
def test_functions_log_to_a_group_with_a_retention(function: str) -> None:
    assert "LoggingConfig" not in WHOLE.functions[function]
    group = WHOLE.deployed_global("LoggingConfig")["LogGroup"]["Ref"]

    assert WHOLE.of_type("AWS::Logs::LogGroup")[group]["RetentionInDays"] == "365"


@pytest.mark.parametrize("function", sorted(set(WHOLE.functions) - TASKS))
def test_failed_events_of_a_function_go_to_the_dead_letter_queue(function: str) -> None:
    """By its queue's redrive policy, or by the failure destination of its stream or invocations."""
    queues = WHOLE.of_type("AWS::SQS::Queue")
    mappings = [
        mapping
        for mapping in WHOLE.of_type("AWS::Lambda::EventSourceMapping").values()
        if mapping["FunctionName"] == {"Ref": function}
    ]
    if mappings:
        kept = [
            mapping["DestinationConfig"]["OnFailure"]["Destination"]
            if "DestinationConfig" in mapping
            else queues[mapping["EventSourceArn"]["Fn::GetAtt"][0]]["RedrivePolicy"][
                "deadLetterTargetArn"
            ]
            for mapping in mappings
        ]
    else:
        failures = WHOLE.functions[function]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        kept = [failures["Destination"]]

    assert kept == [DEAD_LETTERS]


@pytest.mark.parametrize(
    ("queue", "metric"),
    [
        ("DeadLetterQueue", "ApproximateNumberOfMessagesVisible"),
        ("LogObjectsQueue", "ApproximateAgeOfOldestMessage"),
        ("EnforcementQueue", "ApproximateAgeOfOldestMessage"),
    ],
)
def test_dead_letters_and_messages_that_wait_too_long_raise_an_alarm(
    queue: str, metric: str
) -> None:
    (alarm,) = alarms(metric, "QueueName", {"Fn::GetAtt": [queue, "QueueName"]})

    assert alarm["AlarmActions"] == [{"Ref": "OperationsTopic"}]


def test_every_target_of_a_rule_has_a_dead_letter_queue() -> None:
    for rule in WHOLE.of_type("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": DEAD_LETTERS}


def test_every_schedule_has_a_dead_letter_queue() -> None:
    schedules = WHOLE.of_type("AWS::Scheduler::Schedule")

    assert set(schedules) == {"DailyRescan", "DeepRescan"}
    for schedule in schedules.values():
        assert schedule["Target"]["DeadLetterConfig"] == {"Arn": DEAD_LETTERS}
        assert set(json.loads(schedule["Target"]["Input"])) <= {"scope", "deep"}


@pytest.mark.parametrize(
    ("off", "left"),
    [
        (["RescanSchedule"], {"DeepRescan", "RescanSchedulesRole"}),
        (["DeepRescanSchedule"], {"DailyRescan", "RescanSchedulesRole"}),
        (["RescanSchedule", "DeepRescanSchedule"], set()),
    ],
)
def test_rescan_schedules_can_be_disabled(off: list[str], left: set[str]) -> None:
    stack = Stack(dict.fromkeys(off, ""))

    assert {"DailyRescan", "DeepRescan", "RescanSchedulesRole"} & set(stack.resources) == left
    assert "RescanStateMachine" in stack.resources


def test_reports_are_encrypted_private_versioned_and_expire() -> None:
    bucket = WHOLE.of_type("AWS::S3::Bucket")["ReportsBucket"]
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rule["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": {"Fn::GetAtt": ["ReportsKey", "Arn"]},
    }
    assert WHOLE.of_type("AWS::KMS::Key")["ReportsKey"]["EnableKeyRotation"] is True
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {each.get("Prefix"): each for each in bucket["LifecycleConfiguration"]["Rules"]}
    assert set(rules) == {"rescans/", "map-runs/", None}  # `memory/` does not expire
    [policy] = WHOLE.of_type("AWS::S3::BucketPolicy").values()
    [deny] = policy["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Action"]) == ("Deny", "s3:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_queue_is_encrypted_and_redrives_to_the_dead_letter_queue() -> None:
    queues = WHOLE.of_type("AWS::SQS::Queue")

    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
    assert [name for name, queue in queues.items() if "RedrivePolicy" not in queue] == [
        "DeadLetterQueue"
    ]
    assert queues["DeadLetterQueue"]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_unusable_webhook_raises_an_alarm() -> None:
    (alarm,) = alarms("WebhooksUnusable", "service", "emr-log-guard")

    variables = WHOLE.variables("NotifySlackFunction")
    assert variables["POWERTOOLS_SERVICE_NAME"] == "notify_slack"
    assert (
        alarm["Namespace"]
        == template()["Globals"]["Function"]["Environment"]["Variables"][
            "POWERTOOLS_METRICS_NAMESPACE"
        ]
    )
    assert alarm["AlarmActions"] == [{"Ref": "OperationsTopic"}]
    assert "docs/runbooks/slack.md" in alarm["AlarmDescription"]


def test_readable_secrets_are_those_that_a_policy_may_name() -> None:
    (statement,) = [
        each
        for each in WHOLE.statements("NotifySlackFunction")
        if each["Sid"] == "ReadWebhooksOfRoutes"
    ]

    (resource,) = statement["Resource"]
    assert resource["Fn::Sub"].endswith(f":secret:{WEBHOOK_SECRETS}*")


def test_visibility_timeout_is_six_times_the_function_timeout() -> None:
    mappings = WHOLE.of_type("AWS::Lambda::EventSourceMapping")
    for mapping in (each for name, each in mappings.items() if name != "ImportFindingsMapping"):
        queue = WHOLE.resources[mapping["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
        function = (
            template()["Globals"]["Function"] | WHOLE.functions[mapping["FunctionName"]["Ref"]]
        )

        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_log_objects_that_are_re_encrypted_at_once_fit_into_the_attempts_of_one_finding() -> None:
    """A new object of a cluster whose finding records too many attempts would be refused."""
    mapping = WHOLE.of_type("AWS::Lambda::EventSourceMapping")["ReencryptionMapping"]
    function = template()["Globals"]["Function"] | WHOLE.functions["ReencryptFunction"]

    at_once = mapping["BatchSize"] * mapping["ScalingConfig"]["MaximumConcurrency"]
    assert at_once <= 0.8 * ATTEMPTS
    assert timedelta(seconds=function["Timeout"]) < HELD


@pytest.mark.parametrize("name", ["ClusterEventsQueue", "LogObjectsQueue"])
def test_queued_events_are_tried_for_half_an_hour_before_they_are_dead_letters(name: str) -> None:
    """What AWS cannot answer for that long is alerted as INSUFFICIENT_DATA."""
    queue = WHOLE.of_type("AWS::SQS::Queue")[name]
    attempts = queue["RedrivePolicy"]["maxReceiveCount"]
    delays = [retry_delay(receives) for receives in range(1, attempts)]

    # A random part of each delay: the sum is hardly ever less than three standard deviations below.
    mean = (SHORTEST_PART + 1) / 2
    deviation = sqrt(sum(each**2 for each in delays) / 12) * (1 - SHORTEST_PART)
    least = sum(delays) * mean - 3 * deviation
    assert timedelta(seconds=least) >= UNREAD_QUIET
    assert timedelta(seconds=least - delays[-1]) < UNREAD_QUIET


def test_each_attempt_at_a_cluster_event_can_end_before_the_function_times_out() -> None:
    function = template()["Globals"]["Function"] | WHOLE.functions["CheckClusterFunction"]

    assert function["Timeout"] > 2 * BATCH_SECONDS


@pytest.mark.parametrize("name", ["CheckCluster", "CheckLogObjects", "Enforce"])
def test_lease_on_an_alert_is_longer_than_the_function_timeout_and_shorter_than_the_last_retry(
    name: str,
) -> None:
    """A queue without delays of its own delivers again after its visibility timeout."""
    function = template()["Globals"]["Function"] | WHOLE.functions[f"{name}Function"]
    [queue] = [
        WHOLE.resources[mapping["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
        for mapping in WHOLE.of_type("AWS::Lambda::EventSourceMapping").values()
        if mapping["FunctionName"] == {"Ref": f"{name}Function"}
    ]
    attempts = queue["RedrivePolicy"]["maxReceiveCount"]
    delays = [retry_delay(receives) for receives in range(1, attempts)]
    least = SHORTEST_PART * sum(delays)
    retried = queue["VisibilityTimeout"] * len(delays) if name == "Enforce" else least

    assert timedelta(seconds=function["Timeout"]) < LEASE < timedelta(seconds=retried)


def test_security_hub_import_reads_findings_only_and_retries_for_six_hours() -> None:
    mapping = WHOLE.of_type("AWS::Lambda::EventSourceMapping")["ImportFindingsMapping"]
    [pattern] = [json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]]

    assert pattern == {"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "finding#"}]}}}}
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["FindingsTable", "StreamArn"]}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["MaximumRecordAgeInSeconds"] == 6 * 3600
    (alarm,) = alarms("IteratorAge", "FunctionName", {"Ref": "ImportFindingsFunction"})
    assert alarm["AlarmActions"] == [{"Ref": "OperationsTopic"}]


def test_without_security_hub_there_is_no_stream_and_no_permission() -> None:
    stack = Stack(EVERYTHING | {"SecurityHub": "false"})

    assert "StreamSpecification" not in stack.of_type("AWS::DynamoDB::Table")["FindingsTable"]
    assert not [name for name in stack.resources if name.startswith("ImportFindings")]
    asked = {action for function in stack.functions for action in stack.actions(function)}
    assert not [action for action in asked if action.startswith("securityhub:")]
    enforce = stack.variables("EnforceFunction")
    assert not enforce["SECURITY_HUB_PRODUCT_ARN"]
    table = WHOLE.of_type("AWS::DynamoDB::Table")["FindingsTable"]
    assert table["StreamSpecification"] == {"StreamViewType": "KEYS_ONLY"}


@pytest.mark.parametrize("bus", [None, EVERYTHING["EventBusArn"]])
def test_events_go_to_the_named_bus_or_else_to_the_default_bus(bus: str | None) -> None:
    stack = Stack({"EventBusArn": bus} if bus else {})
    default = {
        "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
    }

    variables = stack.variables("EmitEventsFunction")
    assert variables["EVENT_BUS_ARN"] == (bus or default)
    [statement] = stack.statements("EmitEventsFunction")
    assert statement["Resource"] == [bus or default]


def test_emit_events_receives_only_alerts_that_become_events() -> None:
    event = DEFAULT.functions["EmitEventsFunction"]["Events"]["Alert"]["Properties"]

    assert event["FilterPolicy"] == {"kind": [*FINDING_EVENTS, *ENFORCEMENT_EVENTS]}
    assert event["RedrivePolicy"] == {"deadLetterTargetArn": DEAD_LETTERS}


def test_every_topic_is_encrypted_with_the_stack_key() -> None:
    for topic in WHOLE.of_type("AWS::SNS::Topic").values():
        assert topic["KmsMasterKeyId"] == {"Ref": "AlertsKey"}
    assert WHOLE.of_type("AWS::KMS::Key")["AlertsKey"]["EnableKeyRotation"] is True


def test_findings_table_has_backups_and_expires_items() -> None:
    table = WHOLE.of_type("AWS::DynamoDB::Table")["FindingsTable"]

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}


def test_evidence_is_retained_except_after_a_failed_creation() -> None:
    """Otherwise each failed first deployment would leave a table, a bucket and a key behind.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    """
    kept = {
        name: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for name, resource in WHOLE.resources.items()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }

    assert kept == dict.fromkeys(
        ("FindingsTable", "ReportsBucket", "ReportsKey"), ("RetainExceptOnCreate", "Retain")
    )


def test_outputs_are_those_that_other_tools_read() -> None:
    assert set(template()["Outputs"]) == {
        "AlertsTopicArn",
        "AmazonQTopicArn",
        "DeadLetterQueueUrl",
        "FindingsTableName",
        "OperationsTopicArn",
        "PolicyParameterName",
        "ReportsBucketName",
        "RescanStateMachineArn",
    }


def alarms(metric: str, dimension: str, value: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    return [
        alarm
        for alarm in WHOLE.of_type("AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == metric
        and alarm["Dimensions"] == [{"Name": dimension, "Value": value}]
    ]


def referred(node: Any) -> set[str]:  # noqa: ANN401
    match node:
        case {"Ref": name}:
            return {name}
        case {"Fn::GetAtt": [name, _]}:
            return {name}
        case dict():
            return set().union(*(referred(value) for value in node.values()))
        case list():
            return set().union(*(referred(value) for value in node))
        case _:
            return set()
