import ast
from collections.abc import Iterable
from pathlib import Path
from runpy import run_path

import pytest
from botocore import xform_name
from botocore.loaders import Loader

from tests.template.stack import EVERYTHING, ROOT, Stack

WHOLE = Stack(EVERYTHING)
TERMINATING = {"elasticmapreduce:TerminateJobFlows", "elasticmapreduce:SetTerminationProtection"}

READS = {
    "dynamodb:BatchGetItem",
    "dynamodb:DescribeStream",
    "dynamodb:GetItem",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "dynamodb:Query",
    "elasticmapreduce:DescribeCluster",
    "elasticmapreduce:ListClusters",
    "elasticmapreduce:ListSessions",
    "elasticmapreduce:ListSteps",
    "iam:GetInstanceProfile",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:SimulatePrincipalPolicy",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "s3:GetBucketNotification",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "secretsmanager:GetSecretValue",
    "securityhub:GetFindings",
    "sqs:GetQueueAttributes",
    "ssm:GetParameter",
    "ssm:GetParameterHistory",
    "states:DescribeExecution",
}
# What a function may do beyond reading; each statement is limited to its resources.
CHANGES = {
    "dynamodb:DeleteItem",
    "dynamodb:PutItem",
    "elasticmapreduce:SetTerminationProtection",
    "elasticmapreduce:TerminateJobFlows",
    "kms:Decrypt",
    "events:PutEvents",
    "iam:PassRole",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "s3:PutObject",
    "s3:UpdateObjectEncryption",
    "scheduler:CreateSchedule",
    "scheduler:DeleteSchedule",
    "scheduler:UpdateSchedule",
    "securityhub:BatchImportFindings",
    "securityhub:BatchUpdateFindings",
    "sns:Publish",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
}
# A log key may belong to any account; if no log buckets are listed, every bucket may be one.
ANYWHERE = {
    "kms:DescribeKey",
    "kms:GetKeyRotationStatus",
    "s3:GetBucketNotification",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketVersions",
}
# What `reencrypt` alone may do, to the objects of any bucket if none are listed.
REENCRYPTING = {
    "kms:Encrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "s3:PutObject",
    "s3:UpdateObjectEncryption",
}
# Actions that EMR does not support limiting to clusters, or DynamoDB to streams.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticmapreduce.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
UNLIMITED = {"elasticmapreduce:ListClusters", "dynamodb:ListStreams"}


@pytest.mark.parametrize(
    ("parameters", "may_terminate"),
    [
        ({}, set()),
        ({"Mode": "enforce"}, set()),
        ({"TerminationProtection": "override"}, set()),
        ({"EnforcementAllowed": "true"}, {"elasticmapreduce:TerminateJobFlows"}),
        ({"EnforcementAllowed": "true", "TerminationProtection": "override"}, TERMINATING),
    ],
)
def test_stack_may_terminate_clusters_only_as_its_parameters_allow(
    parameters: dict[str, str], may_terminate: set[str]
) -> None:
    stack = Stack(parameters)

    assert {
        action for function in stack.functions for action in stack.actions(function) & TERMINATING
    } == may_terminate


@pytest.mark.parametrize("function", sorted(set(WHOLE.functions) - {"EnforceFunction"}))
def test_only_enforce_may_terminate_clusters(function: str) -> None:
    assert not WHOLE.actions(function) & TERMINATING


@pytest.mark.parametrize("function", sorted(set(WHOLE.functions) - {"ReencryptFunction"}))
def test_only_reencrypt_may_reencrypt(function: str) -> None:
    assert "s3:UpdateObjectEncryption" not in WHOLE.actions(function)


def test_no_function_may_reencrypt_unless_the_stack_allows_it() -> None:
    stack = Stack(EVERYTHING | {"ReencryptionAllowed": "false"})

    assert set(WHOLE.resources) - set(stack.resources) == {
        "ReencryptFunction",
        "ReencryptionAlarm",
        "ReencryptionMapping",
        "ReencryptionQueue",
    }
    assert "s3:UpdateObjectEncryption" not in {
        action for function in stack.functions for action in stack.actions(function)
    }
    for function in ("CheckLogObjectsFunction", "ScanShardFunction"):
        assert not stack.variables(function)["REENCRYPTION_QUEUE_URL"]
        sends = {
            str(statement["Resource"])
            for statement in stack.statements(function)
            if "sqs:SendMessage" in statement["Action"]
        }
        assert not any("Reencryption" in resource for resource in sends)


def test_reencrypt_uses_keys_only_through_s3() -> None:
    [statement] = [
        each for each in WHOLE.statements("ReencryptFunction") if each["Sid"] == "UseLogKeys"
    ]

    assert set(statement["Condition"]["StringLike"]) == {"kms:ViaService"}


@pytest.mark.parametrize(
    "function",
    [
        "CheckClusterFunction",
        "CheckLogObjectsFunction",
        "FinishRescanFunction",
        "ScanShardFunction",
    ],
)
def test_check_may_request_termination_only_if_enforcement_is_allowed(function: str) -> None:
    url = "ENFORCEMENT_QUEUE_URL"

    assert "sqs:SendMessage" in WHOLE.actions(function)
    assert WHOLE.variables(function)[url] == {"Ref": "EnforcementQueue"}
    assert "sqs:SendMessage" not in Stack().actions(function)
    assert not Stack().variables(function)[url]


@pytest.mark.parametrize("stack", [Stack(), WHOLE], ids=["default", "everything"])
def test_every_action_is_listed_here(stack: Stack) -> None:
    for function in stack.functions:
        assert stack.actions(function) <= READS | CHANGES


@pytest.mark.parametrize("stack", [Stack(), WHOLE], ids=["default", "everything"])
def test_only_read_actions_apply_beyond_this_account(stack: Stack) -> None:
    for function in stack.functions:
        for statement in stack.statements(function):
            for resource in statement["Resource"]:
                assert resource != "*" or set(statement["Action"]) <= UNLIMITED
                if "*:*" in str(resource) or ":::*" in str(resource):
                    of_logs = REENCRYPTING if function == "ReencryptFunction" else set()
                    assert set(statement["Action"]) <= ANYWHERE | of_logs


@pytest.mark.parametrize("function", WHOLE.functions)
def test_every_statement_allows_and_has_a_unique_sid(function: str) -> None:
    statements = list(WHOLE.statements(function))

    assert all(statement["Effect"] == "Allow" for statement in statements)
    assert len({statement["Sid"] for statement in statements}) == len(statements)


@pytest.mark.parametrize("function", WHOLE.functions)
def test_sam_adds_no_permissions_through_events(function: str) -> None:
    """An event of type SQS would attach a policy to receive from every queue of the account."""
    events = WHOLE.functions[function].get("Events", {}).values()

    assert {event["Type"] for event in events} <= {"EventBridgeRule", "Schedule", "SNS"}


def test_managed_policy_is_shared_by_several_functions() -> None:
    users: dict[str, list[str]] = {name: [] for name in WHOLE.of_type("AWS::IAM::ManagedPolicy")}
    for function in WHOLE.functions:
        for policy in WHOLE.managed_policies(function):
            users[policy].append(function)

    assert [name for name, functions in users.items() if len(functions) < 2] == []


@pytest.mark.parametrize(
    ("function", "statements"),
    [
        ("CheckLogObjectsFunction", {"HeadLogObjects", "DistinguishMissingObjects"}),
        ("ReencryptFunction", {"ReencryptLogObjects"}),
        ("PlanRescanFunction", {"ListLogFolders"}),
        ("ScanShardFunction", {"HeadLogObjects", "ListLogObjectVersions"}),
    ],
)
def test_only_listed_log_buckets_are_readable(function: str, statements: set[str]) -> None:
    resources = [
        resource
        for statement in WHOLE.statements(function)
        if statement["Sid"] in statements
        for resource in statement["Resource"]
    ]

    assert len(resources) == len(statements)
    assert all("LogBuckets" not in str(resource) for resource in resources)
    assert all("amzn-s3-demo-emr-logs" in str(resource) for resource in resources)


@pytest.mark.parametrize("buckets", ["", "amzn-s3-demo-emr-logs"])
def test_functions_know_which_log_buckets_are_readable(buckets: str) -> None:
    stack = Stack({"LogBuckets": buckets})

    for function in ("CheckClusterFunction", "PlanRescanFunction", "ScanShardFunction"):
        assert stack.variables(function)["LOG_BUCKETS"] == buckets


@pytest.mark.parametrize(
    ("queue", "sources"),
    [
        (
            "ClusterEventsQueue",
            [
                {"Fn::GetAtt": ["ClusterStateChangeRule", "Arn"]},
                {"Fn::GetAtt": ["ClusterLaunchRule", "Arn"]},
                {"Fn::GetAtt": ["StepStatusChangeRule", "Arn"]},
                {"Fn::GetAtt": ["RecheckRequestRule", "Arn"]},
            ],
        ),
        (
            "LogObjectsQueue",
            [
                {"Fn::GetAtt": ["LogObjectCreatedRule", "Arn"]},
                {"Fn::GetAtt": ["LogObjectReencryptedRule", "Arn"]},
            ],
        ),
        (
            "DeadLetterQueue",
            [
                *({"Fn::GetAtt": [name, "Arn"]} for name in WHOLE.of_type("AWS::Events::Rule")),
                {"Ref": "AlertsTopic"},
            ],
        ),
    ],
)
def test_queue_accepts_messages_only_from_its_sources(
    queue: str, sources: list[dict[str, object]]
) -> None:
    (policy,) = [
        policy["PolicyDocument"]["Statement"]
        for policy in WHOLE.of_type("AWS::SQS::QueuePolicy").values()
        if policy["Queues"] == [{"Ref": queue}]
    ]
    allowed: list[object] = []
    for statement in policy:
        source = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        allowed += source if isinstance(source, list) else [source]

    assert sorted(allowed, key=str) == sorted(sources, key=str)
    assert all(statement["Action"] == "sqs:SendMessage" for statement in policy)


def test_every_topic_denies_unencrypted_requests() -> None:
    policies = WHOLE.of_type("AWS::SNS::TopicPolicy").values()
    denied = [
        policy["Topics"]
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]

    assert denied == [[{"Ref": name}] for name in WHOLE.of_type("AWS::SNS::Topic")]


def test_rescan_role_may_run_only_its_own_tasks_and_executions() -> None:
    [policy] = WHOLE.of_type("AWS::IAM::Role")["RescanRole"]["Policies"]
    allowed = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}

    assert allowed["InvokeTasks"]["Resource"] == [
        {"Fn::GetAtt": [function, "Arn"]}
        for function in ("PlanRescanFunction", "ScanShardFunction", "FinishRescanFunction")
    ]
    machine = WHOLE.of_type("AWS::Serverless::StateMachine")["RescanStateMachine"]["Name"]
    name, places = machine["Fn::Sub"]
    for sid in ("StartShardExecutions", "FollowExecutions"):
        resources = allowed[sid]["Resource"]
        for resource in resources if isinstance(resources, list) else [resources]:
            assert f":{name}" in resource["Fn::Sub"][0]
            assert resource["Fn::Sub"][1] == places
    everywhere = {name for name, each in allowed.items() if each["Resource"] == "*"}
    assert everywhere == {"WriteLogs", "Trace"}  # AWS does not support limiting these
    assert not {action for each in allowed.values() for action in each["Action"]} & TERMINATING


def test_role_of_the_rescan_schedules_may_only_start_rescans() -> None:
    [policy] = WHOLE.of_type("AWS::IAM::Role")["RescanSchedulesRole"]["Policies"]

    assert [
        (each["Action"], each["Resource"]) for each in policy["PolicyDocument"]["Statement"]
    ] == [
        ("states:StartExecution", {"Ref": "RescanStateMachine"}),
        ("sqs:SendMessage", {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}),
    ]


PACKAGE = ROOT / "layers" / "emr_log_guard" / "emr_log_guard"
SERVICES: set[str] = run_path(str(ROOT / "layers" / "dependencies" / "build.py"))["SERVICES"]
PREFIXES = {"emr": "elasticmapreduce", "stepfunctions": "states"}
# Operations whose IAM action has a different name.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS = {
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
# Required of a function's role, although no adapter calls them.
BY_AWS = {
    "dynamodb:DescribeStream",  # Lambda polls the stream and the queues
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "iam:PassRole",  # for the schedule's role
    "kms:Decrypt",  # for queues, topics, the table and buckets
    "kms:Encrypt",  # for UpdateObjectEncryption, as the two below, and s3:PutObject
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "s3:GetObjectVersion",  # HeadObject and GetObject with a version
    "secretsmanager:GetSecretValue",  # by Powertools' get_secret
}
BY_COMMAND = {
    "sqs:DeleteMessage",
    "sqs:ReceiveMessage",
    "ssm:PutParameter",
    "states:DescribeMapRun",
    "states:ListExecutions",
    "states:ListMapRuns",
    "states:StartExecution",
}
"""Called by adapters that the functions share with the command, which stores policies, starts
re-scans and replays dead letters."""


def wired_adapters() -> set[Path]:
    """The adapters that the functions' wiring imports, directly or indirectly."""
    found: set[Path] = set()
    ahead = list((PACKAGE / "bootstrap").glob("*.py"))
    while ahead:
        for node in ast.walk(ast.parse(ahead.pop().read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            place = PACKAGE.parent.joinpath(*node.module.split("."))
            modules = {place, *(place / alias.name for alias in node.names)}
            new = {
                file
                for file in (module.with_suffix(".py") for module in modules)
                if file.parent == PACKAGE / "adapters" and file.is_file()
            } - found
            found |= new
            ahead += new
    return found


def names_in(modules: Iterable[Path]) -> set[str]:
    """Possible names of client methods: attributes, and the arguments of paginators."""
    names = set()
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("can_paginate", "get_paginator")
            ):
                assert isinstance(node.args[0], ast.Constant), f"{module}:{node.lineno}"
                names.add(str(node.args[0].value))
    return names


def test_functions_may_do_exactly_what_their_adapters_call() -> None:
    names = names_in(wired_adapters())
    assert "get_waiter" not in names, "what a waiter calls is not seen here"
    called = {
        f"{PREFIXES.get(service, service)}:{operation}"
        for service in SERVICES
        for operation in Loader().load_service_model(service, "service-2")["operations"]
        if xform_name(operation) in names
    }

    actions = {ACTIONS.get(each, each) for each in called} - BY_COMMAND
    assert actions == (READS | CHANGES) - BY_AWS
