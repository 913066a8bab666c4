"""The largest stack that the parameters allow is within AWS's limits."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.emr_rates import CHECK_ENVIRONMENTS
from emr_log_guard.rules import ALL_RULES
from emr_log_guard.rules.rule import Rule
from emr_log_guard.usecases.rescan.plan import LOG_SHARDS_AT_ONCE
from tests.template.stack import EVERYTHING, ROOT, Stack, template

STACK_NAME = "s" * 128
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
STACK_UUID = "51af3dc0-da77-11e4-872e-1234567db123"
LONGEST = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-northeast-1",
    "AWS::StackId": f"arn:aws:cloudformation:ap-northeast-1:111122223333:stack/x/{STACK_UUID}",
    "AWS::StackName": STACK_NAME,
}
NAMES = {
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-stepfunctions-statemachine.html
    ("AWS::Serverless::StateMachine", "Name"): 80,
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    ("AWS::SSM::Parameter", "Name"): 1011,
}
GENERATED = {
    "AWS::DynamoDB::Table": 255,
    "AWS::IAM::Role": 64,
    "AWS::KMS::Key": 36,
    "AWS::S3::Bucket": 63,
    "AWS::SNS::Topic": 256,
    "AWS::SQS::Queue": 80,
    "AWS::Scheduler::ScheduleGroup": 64,
}
"""The maximum length of names that CloudFormation generates from the stack and logical names."""


def fifty(length: int) -> str:
    """LogBuckets with 50 names and this total length."""
    each, longer = divmod(length - 49, 50)
    return ",".join("b" * (each + (n < longer)) for n in range(50))


LONG = template()["Parameters"]["LogBuckets"]["MaxLength"]
MOST_BUCKETS = Stack(EVERYTHING | {"LogBuckets": fifty(LONG)})


def physical(name: str) -> str:
    """A resource's physical name, as CloudFormation generates it, at its maximum length."""
    if name in LONGEST:
        return LONGEST[name]
    kind = MOST_BUCKETS.resources[name]["Type"]
    if kind == "AWS::SSM::Parameter":
        return str(resolved(MOST_BUCKETS.resources[name]["Properties"]["Name"]))
    return f"{STACK_NAME}-{name}-ABCDEFGHIJKLM"[-GENERATED.get(kind, 256) :]


def resolved(node: Any) -> Any:  # noqa: ANN401 - a template is any JSON
    """The longest value that a template value can have once deployed."""
    match node:
        case {"Ref": name}:
            return physical(name)
        case {"Fn::GetAtt": [name, _]}:
            return f"arn:aws-us-gov:servicename:ap-northeast-1:111122223333:{physical(name)}"
        case {"Fn::Join": [delimiter, parts]}:
            return delimiter.join(resolved(parts))
        case {"Fn::Select": [index, parts]}:
            return resolved(parts)[int(index)]
        case {"Fn::Split": [delimiter, whole]}:
            return resolved(whole).split(delimiter)
        case {"Fn::Sub": str(pattern)}:
            return resolved({"Fn::Sub": [pattern, {}]})
        case {"Fn::Sub": [str(pattern), dict(places)]}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: _place(found[1], places), pattern)
        case dict():
            return {key: resolved(value) for key, value in node.items()}
        case list():
            return [resolved(each) for each in node]
        case _:
            return node


def _place(name: str, places: dict[str, Any]) -> str:
    if name in places:
        return str(resolved(places[name]))
    resource, _, attribute = name.partition(".")
    return str(resolved({"Fn::GetAtt": [resource, attribute]} if attribute else {"Ref": name}))


def compact(node: Any) -> str:  # noqa: ANN401
    return json.dumps(resolved(node), separators=(",", ":"))


def role_policies() -> Iterator[tuple[str, int]]:
    """The size of each role's policies: IAM does not count white space."""
    for name, function in MOST_BUCKETS.functions.items():
        inline = [policy for policy in function["Policies"] if "Ref" not in policy]
        yield name, sum(len(compact(policy)) for policy in inline)
    for name, role in MOST_BUCKETS.of_type("AWS::IAM::Role").items():
        yield name, sum(len(compact(each["PolicyDocument"])) for each in role["Policies"])


SIZES = dict(role_policies())
# SAM adds a statement for sending to the failure destination.
OF_SAM = 300


@pytest.mark.parametrize("name", SIZES)
def test_role_policies_are_within_the_iam_quota_with_the_most_buckets(name: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    assert SIZES[name] + OF_SAM <= 10_240


@pytest.mark.parametrize("name", MOST_BUCKETS.of_type("AWS::IAM::ManagedPolicy"))
def test_a_managed_policy_is_within_iams_quota(name: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    policy = MOST_BUCKETS.of_type("AWS::IAM::ManagedPolicy")[name]

    assert len(compact(policy["PolicyDocument"])) <= 6_144


@pytest.mark.parametrize("name", MOST_BUCKETS.functions)
def test_a_role_has_no_more_managed_policies_than_iam_allows(name: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    of_sam = 2

    assert len(MOST_BUCKETS.managed_policies(name)) + of_sam <= 10


@pytest.mark.parametrize("rule", MOST_BUCKETS.of_type("AWS::Events::Rule"))
def test_event_pattern_is_within_the_eventbridge_quota_with_the_most_buckets(rule: str) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"""
    pattern = MOST_BUCKETS.of_type("AWS::Events::Rule")[rule].get("EventPattern", {})

    assert len(compact(pattern)) <= 2_048


def test_pattern_and_policies_under_test_contain_the_most_buckets() -> None:
    """Otherwise the two tests above would measure something else."""
    rule = MOST_BUCKETS.of_type("AWS::Events::Rule")["LogObjectCreatedRule"]
    [heads] = [
        each["Resource"][0]
        for each in MOST_BUCKETS.statements("ScanShardFunction")
        if each["Sid"] == "HeadLogObjects"
    ]

    assert len(rule["EventPattern"]["detail"]["bucket"]["name"]) == 50
    assert len(resolved(heads)) == 50
    assert resolved(heads)[49] == f"arn:*:s3:::{fifty(LONG).split(',')[49]}/*"


@pytest.mark.parametrize(
    ("buckets", "allowed"),
    [
        (fifty(LONG), True),
        ("", True),
        (",".join(f"log-{n}" for n in range(50)), True),
        (",".join(f"log-{n}" for n in range(51)), False),
        (fifty(LONG + 1), False),
    ],
)
def test_more_log_buckets_than_aws_allows_are_refused_by_the_parameter(
    buckets: str, *, allowed: bool
) -> None:
    parameter = template()["Parameters"]["LogBuckets"]
    fits = re.fullmatch(parameter["AllowedPattern"], buckets) is not None

    assert (fits and len(buckets) <= parameter["MaxLength"]) is allowed
    assert "at most 50" in parameter["ConstraintDescription"]
    assert "1,600 characters" in parameter["ConstraintDescription"]
    assert f"{parameter['MaxLength']:,}" == "1,600"


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_rules_of_severity_high_and_above_can_be_enforced(rule: Rule[Any]) -> None:
    parameter = template()["Parameters"]["EnforcementRules"]
    fits = re.fullmatch(parameter["AllowedPattern"], rule.id) is not None

    assert fits is (rule.severity.rank >= Severity.HIGH.rank)


def test_documented_attempts_match_the_queues() -> None:
    page = (ROOT / "docs" / "runbooks" / "dead-letters.md").read_text()
    queues = MOST_BUCKETS.of_type("AWS::SQS::Queue")

    attempts = {
        name: queue["RedrivePolicy"]["maxReceiveCount"]
        for name, queue in queues.items()
        if "RedrivePolicy" in queue
    }

    assert attempts.pop("EnforcementQueue") == 5
    assert "| the enforcement queue, after five attempts |" in page
    assert [int(n) for n in re.findall(r"queue, after (\d+) attempts", page)] == [
        attempts[name] for name in ("ClusterEventsQueue", "LogObjectsQueue", "ReencryptionQueue")
    ]
    assert len(attempts) == 3


def test_documented_concurrency_matches_the_stack() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    page = " ".join((ROOT / "docs" / "install.md").read_text().split())
    machine = yaml.safe_load((ROOT / "statemachines" / "rescan.asl.yaml").read_text())
    mapping = MOST_BUCKETS.of_type("AWS::Lambda::EventSourceMapping")["LogObjectsMapping"]

    assert "five invocations at once for log objects, twenty for a re-scan" in page
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == 5
    assert machine["States"]["Scan"]["MaxConcurrencyPath"] == "$.scan.shards_at_once"
    assert LOG_SHARDS_AT_ONCE == 20


def test_emr_rates_assume_the_concurrency_of_the_template() -> None:
    mapping = MOST_BUCKETS.of_type("AWS::Lambda::EventSourceMapping")["ClusterEventsMapping"]

    assert mapping["ScalingConfig"]["MaximumConcurrency"] == CHECK_ENVIRONMENTS


def named() -> dict[str, tuple[str, int]]:
    """The names that the template sets, and their maximum lengths."""
    return {
        logical: (resolved(resource["Properties"][field]), limit)
        for (kind, field), limit in NAMES.items()
        for logical, resource in MOST_BUCKETS.resources.items()
        if resource["Type"] == kind and field in resource["Properties"]
    }


@pytest.mark.parametrize("logical", named())
def test_name_is_short_enough_for_the_longest_stack_name(logical: str) -> None:
    name, limit = named()[logical]

    assert len(name) <= limit


def test_limit_of_every_name_in_the_template_is_tested() -> None:
    fields = {field for _, field in NAMES} | {"BucketName", "QueueName", "TopicName", "RoleName"}
    given = {
        logical
        for logical, resource in MOST_BUCKETS.resources.items()
        if fields & set(resource.get("Properties", ()))
        and resource["Type"] != "AWS::CloudWatch::Alarm"
    }

    assert given == set(named())


def test_log_group_of_the_state_machine_needs_no_resource_policy() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html"""
    machine = MOST_BUCKETS.of_type("AWS::Serverless::StateMachine")["RescanStateMachine"]
    [destination] = machine["Logging"]["Destinations"]
    group = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
    name = MOST_BUCKETS.of_type("AWS::Logs::LogGroup")[group]["LogGroupName"]

    assert resolved(name).startswith("/aws/vendedlogs/states/")
