"""The hub's template is valid, and the members' template can be deployed by StackSets."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode  # type: ignore[import-untyped]
from moto.events.models import EventPattern

from emr_log_guard.rendering.alerts.events import ENFORCEMENT_EVENTS, FINDING_EVENTS
from tests.template.stack import EVERYTHING, ROOT, Stack, template

HUB = ROOT / "tools" / "many_accounts" / "hub.yaml"
STACKSET = ROOT / "tools" / "many_accounts" / "stackset.py"
PREFIX = "amzn-s3-demo-emr-log-guard"
LAYER = r"(?<=Layer)[0-9a-f]{10}"
ARTIFACTS = ("CodeUri", "ContentUri", "DefinitionUri")


def lint(path: Path) -> str:
    command = [str(ROOT / ".venv" / "dev" / "bin" / "cfn-lint"), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def hub() -> dict[str, Any]:
    decoded, problems = decode(str(HUB))
    assert not problems
    resources: dict[str, Any] = decoded["Resources"]
    return resources


def packaged(into: Path, bucket: str = f"{PREFIX}-eu-west-1", **more: Any) -> Path:  # noqa: ANN401
    """Write the template as `sam package` does: local paths are replaced by keys in a bucket."""
    document = json.loads(json.dumps({**template(), **more}))
    for name, resource in document["Resources"].items():
        for field in set(ARTIFACTS) & set(resource.get("Properties", {})):
            key = f"emr-log-guard/{name}"
            machine = resource["Type"] == "AWS::Serverless::StateMachine"
            place = {"Bucket": bucket, "Key": key} if machine else f"s3://{bucket}/{key}"
            resource["Properties"][field] = place
    path = into / "packaged.yaml"
    path.write_text(json.dumps(document))
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    python = ROOT / ".venv" / "sam" / "bin" / "python"
    command = [str(python), str(STACKSET), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"SAM_CLI_TELEMETRY": "0"}
    )


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The members' template."""
    folder = tmp_path_factory.mktemp("members")
    path = folder / "members.json"
    path.write_text(translated(packaged(folder)))
    return path


def translated(source: Path, prefix: str = PREFIX, region: str = "eu-west-1") -> str:
    result = run(str(source), prefix, region)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refs(node: Any) -> set[str]:  # noqa: ANN401 - a template is any JSON
    match node:
        case {"Ref": name}:
            return {name}
        case {"Fn::Sub": str(text)}:
            return {name for name in template()["Parameters"] if f"${{{name}}}" in text}
        case {"Fn::Sub": [text, names]}:
            return refs({"Fn::Sub": text}) | refs(names)
        case dict():
            return set().union(*(refs(value) for value in node.values()))
        case list():
            return set().union(*(refs(value) for value in node))
        case _:
            return set()


def test_hub_template_is_valid() -> None:
    assert not lint(HUB)


def test_members_template_is_valid_and_has_no_transform(members: Path) -> None:
    document = json.loads(members.read_text())

    assert "Transform" not in document
    kinds = {resource["Type"] for resource in document["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith("AWS::Serverless")]
    assert {"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"} <= kinds
    assert not lint(members)
    assert members.stat().st_size < 1024 * 1024


def test_members_load_the_code_from_a_bucket_in_their_region(members: Path) -> None:
    document = json.loads(members.read_text())
    bucket = {"Fn::Sub": f"{PREFIX}-${{AWS::Region}}"}
    resources = document["Resources"].values()

    code = [
        resource["Properties"].get("Code") or resource["Properties"]["Content"]
        for resource in resources
        if resource["Type"] in {"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"}
    ]
    [machine] = [each for each in resources if each["Type"] == "AWS::StepFunctions::StateMachine"]
    places = [*code, machine["Properties"]["DefinitionS3Location"]]
    assert [place.get("S3Bucket") or place["Bucket"] for place in places] == [bucket] * len(places)


def test_conditions_of_members_use_their_own_parameters(members: Path) -> None:
    """No condition was evaluated when the template was generated."""
    document = json.loads(members.read_text())
    before = refs({k: template()[k] for k in ("Resources", "Conditions", "Globals", "Rules")})

    wanted = before & set(template()["Parameters"])
    assert wanted == set(template()["Parameters"])
    assert wanted <= refs({k: document[k] for k in ("Resources", "Conditions", "Rules")})
    assert document["Parameters"] == template()["Parameters"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give the packaged template, the prefix"),
        ((str(ROOT / "template.yaml"), PREFIX), "and a Region of the partition"),
        ((str(ROOT / "template.yaml"), PREFIX, "eu-west-1"), "`sam package` it"),
        ((str(ROOT / "template.yaml"), PREFIX, "europe"), "europe is no Region"),
    ],
)
def test_unpackaged_template_is_refused(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)

    assert result.returncode == 1
    assert message in result.stderr
    assert not result.stdout


@pytest.mark.parametrize("bucket", ["elsewhere", f"{PREFIX}-eu-west-1-2", f"{PREFIX}-mine"])
def test_template_with_another_bucket_is_refused(tmp_path: Path, bucket: str) -> None:
    result = run(str(packaged(tmp_path, bucket)), PREFIX, "eu-west-1")

    assert result.returncode == 1
    assert f"s3://{bucket}/" in result.stderr


def test_prefix_that_other_words_start_with_changes_only_the_code_bucket(
    members: Path, tmp_path: Path
) -> None:
    """The stack, topics and the guard's event source all have names starting with `emr-`."""
    short = translated(packaged(tmp_path, "emr-eu-west-1"), "emr")

    assert '"emr-${AWS::Region}"' in short
    as_before = short.replace('"emr-${AWS::Region}"', f'"{PREFIX}-${{AWS::Region}}"')
    # SAM appends a hash of the code's location to a layer's name.
    assert re.sub(LAYER, "", as_before) == re.sub(LAYER, "", members.read_text())


def test_text_that_looks_like_the_bucket_is_unchanged(tmp_path: Path) -> None:
    bucket = f"{PREFIX}-eu-west-1"
    outputs = {"Outputs": {"Mentioned": {"Value": bucket}}}
    document = json.loads(translated(packaged(tmp_path, bucket, **outputs)))

    assert document["Outputs"] == outputs["Outputs"]


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_roles_use_the_managed_policies_of_the_partition(
    tmp_path: Path, region: str, partition: str
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"""
    members = json.loads(translated(packaged(tmp_path), region=region))
    policies = managed_policies(members)

    assert policies
    assert {arn.split(":")[1] for arn in policies} == {partition}


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1"])
def test_statements_that_sam_adds_to_function_policies_are_documented(
    tmp_path: Path, region: str
) -> None:
    """https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html"""
    page = (ROOT / "docs" / "security-model.md").read_text()
    section = page[page.index("### What SAM adds") :]
    document = json.loads(translated(packaged(tmp_path), region=region))
    roles = {
        name: resource["Properties"]
        for name, resource in document["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role" and name.endswith("FunctionRole")
    }

    assert len(roles) == len(Stack(EVERYTHING).functions)
    for name, role in roles.items():
        added_by_sam = [arn for arn in role["ManagedPolicyArns"] if isinstance(arn, str)]
        assert len(added_by_sam) == 2
        for arn in added_by_sam:
            assert f"`{arn.partition('policy/')[2]}`" in section
        for policy in role["Policies"]:
            if not re.fullmatch(rf"{name}Policy\d", policy["PolicyName"]):
                [added] = policy["PolicyDocument"]["Statement"]
                assert added["Action"] == "sqs:SendMessage"
                assert added["Resource"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def managed_policies(document: dict[str, Any]) -> set[str]:
    """The ARNs of AWS's own managed policies that roles have."""
    return {
        arn
        for resource in document["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
        for arn in resource["Properties"].get("ManagedPolicyArns", ())
        if isinstance(arn, str)
    }


def test_sam_makes_the_rules_that_the_other_tests_expect(members: Path) -> None:
    stack = Stack(EVERYTHING)
    resources = json.loads(members.read_text())["Resources"]
    made = {
        name: stack.decided(resource["Properties"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Events::Rule"
    }
    invoking = [
        (permission["Properties"]["FunctionName"]["Ref"], permission["Properties"]["SourceArn"])
        for permission in resources.values()
        if permission["Type"] == "AWS::Lambda::Permission"
        and permission["Properties"]["Principal"] == "events.amazonaws.com"
    ]

    assert made == json.loads(json.dumps(stack.of_type("AWS::Events::Rule")))
    for function, rule in invoking:
        [target] = made[rule["Fn::GetAtt"][0]]["Targets"]
        assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert (
        len(invoking) == len(made) - 6
    )  # two rules send to the queue of log objects, four to that of clusters


def test_sam_attaches_the_managed_policies_that_the_other_tests_expect(members: Path) -> None:
    stack = Stack(EVERYTHING)
    resources = json.loads(members.read_text())["Resources"]

    for name in stack.functions:
        role = stack.decided(resources[f"{name}Role"]["Properties"])
        own = [each["Ref"] for each in role["ManagedPolicyArns"] if isinstance(each, dict)]
        assert own == stack.managed_policies(name)


def test_only_members_may_put_events_and_only_of_the_guard() -> None:
    [statement] = [hub()["BusPolicy"]["Properties"]["Statement"]]

    assert statement["Action"] == "events:PutEvents"
    assert statement["Condition"] == {
        "StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}},
        "ForAllValues:StringEquals": {"events:source": "emr-log-guard"},
    }


def test_topic_policy_has_no_condition_because_eventbridge_does_not_support_one() -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html"""
    targets = hub()["SevereRule"]["Properties"]["Targets"]
    [policy] = [each for each in hub().values() if each["Type"] == "AWS::SNS::TopicPolicy"]

    assert [target["Arn"] for target in targets] == [{"Ref": "Topic"}]
    assert policy["Properties"]["Topics"] == [{"Ref": "Topic"}]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sns:Publish"
    assert "Condition" not in statement


def test_topic_key_is_restricted_by_the_encryption_context() -> None:
    """EventBridge sends the topic's ARN as encryption context, but no condition key for the source.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """
    statements = {
        each["Sid"]: each for each in hub()["TopicKey"]["Properties"]["KeyPolicy"]["Statement"]
    }
    rules = statements["RulesThatPublishToTheTopic"]
    topic = hub()["Topic"]["Properties"]

    assert rules["Principal"] == {"Service": "events.amazonaws.com"}
    assert rules["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    [(operator, condition)] = rules["Condition"].items()
    assert operator == "StringEquals"
    [(context, arn)] = condition.items()
    assert context == "kms:EncryptionContext:aws:sns:topicArn"
    region = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:"
    assert arn == {"Fn::Sub": region + topic["TopicName"]["Fn::Sub"]}
    assert topic["KmsMasterKeyId"] == {"Ref": "TopicKey"}


def test_undelivered_event_raises_an_alarm_in_every_hub() -> None:
    """Also in Regions without an alerts topic."""
    resources = hub()
    alarm = resources["UndeliveredEventsAlarm"]
    operations = [{"Ref": "OperationsTopic"}]
    queue = {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}

    assert alarm["Properties"]["Dimensions"] == [{"Name": "QueueName", "Value": queue}]
    assert alarm["Properties"]["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert (alarm["Properties"]["AlarmActions"], alarm["Properties"]["OKActions"]) == (
        operations,
        operations,
    )
    assert "docs/many-accounts.md#undelivered-events" in alarm["Properties"]["AlarmDescription"]
    for name in ("UndeliveredEventsAlarm", "OperationsTopic", "TopicKey", "DeadLetterQueue"):
        assert "Condition" not in resources[name]
    for name in ("SevereRule", "HomeRule"):
        for target in resources[name]["Properties"]["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}}
    [alarms] = [
        each
        for each in resources["TopicKey"]["Properties"]["KeyPolicy"]["Statement"]
        if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert resources["OperationsTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "TopicKey"}


def test_hub_can_be_deleted_and_a_failed_creation_leaves_nothing() -> None:
    """The archive's managed rule is on the bus, so both are retained together.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive-delete.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    """
    kept = {
        name: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for name, resource in hub().items()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }

    assert kept == dict.fromkeys(
        ("Archive", "Artifacts", "Bus"), ("RetainExceptOnCreate", "Retain")
    )


@pytest.mark.parametrize("detail_type", [*FINDING_EVENTS.values(), *ENFORCEMENT_EVENTS.values()])
@pytest.mark.parametrize("severity", ["LOW", "MEDIUM", "HIGH", "CRITICAL"])
def test_hub_notifies_of_severe_events(detail_type: str, severity: str) -> None:
    event = {
        "source": "emr-log-guard",
        "detail-type": detail_type,
        "detail": {"severity": severity},
    }
    severe = json.dumps(hub()["SevereRule"]["Properties"]["EventPattern"])
    everything = json.dumps(hub()["HomeRule"]["Properties"]["EventPattern"])

    expected = detail_type in {"Enforcement Done", "Enforcement Failed"} or (
        detail_type in {"Finding Opened", "Finding Reopened"} and severity in {"HIGH", "CRITICAL"}
    )
    assert EventPattern.load(severe).matches_event(event) is expected  # type: ignore[arg-type]
    assert EventPattern.load(everything).matches_event(event)  # type: ignore[arg-type]


def test_events_of_the_guard_trigger_no_rule_of_a_member_stack() -> None:
    for name, rule in Stack(EVERYTHING).of_type("AWS::Events::Rule").items():
        if "EventPattern" in rule:
            pattern = rule["EventPattern"]
            for kind in (*FINDING_EVENTS.values(), *ENFORCEMENT_EVENTS.values()):
                mine = "emr-log-guard" in pattern["source"]
                assert not (mine and kind in pattern["detail-type"]), name
