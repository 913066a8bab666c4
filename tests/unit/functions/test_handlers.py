"""Each handler with a real event, real adapters and an AWS that only answers."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.client import BaseClient

from emr_log_guard import observability
from emr_log_guard.adapters import clients, slack
from emr_log_guard.errors import ClusterNotFoundError, InvalidEventError
from tests.unit.builders import (
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    NODE_ROLE_ARN,
    SERVICE_ROLE_ARN,
    a_cluster,
)
from tests.unit.stubbed_aws import AwsError, StubbedAws

# Powertools says so whenever an invocation fails before anything was measured.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

ROOT = Path(__file__).parents[3]
WHEN = "2026-03-14T15:09:26Z"
READS_OF_A_COMPLIANT_CLUSTER = {
    "GetParameter": 1,
    "ListSteps": 1,
    "DescribeCluster": 1,
    "GetBucketNotificationConfiguration": 1,
    "DescribeKey": 1,
    "GetRole": 1,
    "GetInstanceProfile": 1,
    "GetKeyPolicy": 1,
    "SimulatePrincipalPolicy": 2,
}
CLIENTS: tuple[Callable[[], BaseClient], ...] = (
    clients.emr,
    clients.iam,
    clients.kms,
    clients.s3,
    clients.sns,
    clients.sqs,
    clients.ssm,
)
POLICY = {
    "mode": "enforce",
    "enforcement": {
        "rules": ["EMRLOG-002", "EMRLOG-101"],
        "termination_protection": "respect",
    },
}


@dataclass
class Context:
    function_name: str = "f"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:111122223333:function:f"
    aws_request_id: str = "52fdfc07-2182-154f-163f-5f0f9a621d72"


def an_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


def a_role(arn: str) -> dict[str, str]:
    name = arn.rpartition("/")[2]
    return {
        "Path": "/",
        "RoleName": name,
        "RoleId": "AROA0000000000000000",
        "Arn": arn,
        "CreateDate": WHEN,
    }


def describe_cluster(params: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {
        "Cluster": {
            "Id": params["ClusterId"],
            "ClusterArn": a_cluster().arn.replace(CLUSTER_ID, params["ClusterId"]),
            "Name": "nightly-etl",
            "Status": {"State": "RUNNING"},
            "LogUri": "s3n://amzn-s3-demo-emr-logs/logs/",
            "LogEncryptionKmsKeyId": KEY.arn,
            "ReleaseLabel": "emr-7.12.0",
            "ServiceRole": "EMR_DefaultRole",
            "Ec2InstanceAttributes": {"IamInstanceProfile": "EMR_EC2_DefaultRole"},
            "TerminationProtected": False,
            **changes,
        }
    }


def describe_key(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "KeyMetadata": {
            "KeyId": "k",
            "Arn": params["KeyId"],
            "KeyManager": "CUSTOMER",
            "KeyState": "Enabled",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "Origin": "AWS_KMS",
        }
    }


def without_a_key(params: dict[str, Any]) -> dict[str, Any]:
    return describe_cluster(params, LogEncryptionKmsKeyId="")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubbedAws]:
    """An account whose cluster and log objects are in order."""
    aws = StubbedAws()
    monkeypatch.setattr(observability.metrics, "namespace", "EmrLogGuard")
    for name, value in {
        "POLICY_PARAMETER_NAME": "/emr-log-guard/policy",
        "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
        "ENFORCEMENT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/enforce",
        "SLACK_WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:s",
    }.items():
        monkeypatch.setenv(name, value)
    forget_clients()
    for make_client in CLIENTS:
        aws.attach(make_client())
    aws.attach(clients.kms("eu-west-1"))
    policy = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    profile = {
        "Path": "/",
        "InstanceProfileName": "EMR_EC2_DefaultRole",
        "InstanceProfileId": "AIPA0000000000000000",
        "Arn": "arn:aws:iam::111122223333:instance-profile/EMR_EC2_DefaultRole",
        "CreateDate": WHEN,
        "Roles": [a_role(NODE_ROLE_ARN)],
    }
    allowed = {"EvalActionName": "kms:DescribeKey", "EvalDecision": "allowed"}
    stored = {"Name": "policy", "Value": json.dumps(POLICY), "Version": 1}
    aws.answer("GetParameter", {"Parameter": stored})
    aws.answer("DescribeCluster", describe_cluster)
    aws.answer("ListSteps", {"Steps": []})
    aws.answer("GetBucketNotificationConfiguration", {"EventBridgeConfiguration": {}})
    aws.answer("DescribeKey", describe_key)
    aws.answer("GetKeyPolicy", {"Policy": json.dumps({"Statement": [policy]})})
    aws.answer("GetRole", {"Role": a_role(SERVICE_ROLE_ARN)})
    aws.answer("GetInstanceProfile", {"InstanceProfile": profile})
    aws.answer("SimulatePrincipalPolicy", {"EvaluationResults": [allowed]})
    aws.answer("HeadObject", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY.arn})
    aws.answer("Publish", {"MessageId": "m"})
    aws.answer("SendMessage", {"MessageId": "m"})
    aws.answer("TerminateJobFlows", {})
    yield aws
    forget_clients()


def forget_clients() -> None:
    """Have the next cold start make clients of its own."""
    for make in vars(clients).values():
        if hasattr(make, "cache_clear"):
            make.cache_clear()


def load(function: str) -> ModuleType:
    """Import a function's module as a cold start does."""
    path = ROOT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"{function}_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def invoke(module: ModuleType, event: object) -> Any:  # noqa: ANN401 - a handler's answer
    return module.lambda_handler(event, Context())


@pytest.mark.parametrize("state", ["starting", "running", "waiting", "terminated"])
def test_check_cluster_reads_each_thing_once(aws: StubbedAws, state: str) -> None:
    answer = invoke(load("check_cluster"), an_event(f"emr-cluster-state-change-{state}"))

    assert (answer["cluster_id"], answer["compliance"]) == (CLUSTER_ID, "COMPLIANT")
    assert aws.counts == READS_OF_A_COMPLIANT_CLUSTER


def test_check_cluster_while_warm_reads_only_the_cluster_and_its_steps(aws: StubbedAws) -> None:
    function, event = load("check_cluster"), an_event("emr-cluster-state-change-running")
    invoke(function, event)
    aws.forget_calls()

    event["detail"]["clusterId"] = "j-ANOTHERCLUSTER"
    invoke(function, event)

    assert aws.counts == {"DescribeCluster": 1, "ListSteps": 1}


def test_check_cluster_alerts_and_hands_a_bad_cluster_on(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", without_a_key)

    answer = invoke(load("check_cluster"), an_event("emr-cluster-state-change-starting"))

    assert answer["actions"] == ["Alert", "RequestEnforcement"]
    assert aws.counts == {
        "GetParameter": 1,
        "DescribeCluster": 1,
        "ListSteps": 1,
        "GetBucketNotificationConfiguration": 1,
        "Publish": 1,
        "SendMessage": 1,
    }


def test_check_cluster_fails_for_a_cluster_that_vanished(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", AwsError("InvalidRequestException"))

    with pytest.raises(ClusterNotFoundError):
        invoke(load("check_cluster"), an_event("emr-cluster-state-change-starting"))


def test_check_cluster_refuses_events_of_others(aws: StubbedAws) -> None:
    with pytest.raises(InvalidEventError):
        invoke(load("check_cluster"), an_event("s3-object-created-log"))

    assert aws.calls == []


def test_check_log_objects_reads_one_head_an_object(aws: StubbedAws) -> None:
    function, event = load("check_log_objects"), an_event("sqs-s3-object-created")
    aws.answer(
        "DescribeCluster",
        lambda params: describe_cluster(params, LogUri="s3n://amzn-s3-demo-emr-logs/logs/"),
    )

    assert invoke(function, event) == {"batchItemFailures": []}
    assert aws.counts == {
        "GetParameter": 1,
        "DescribeCluster": 1,
        "ListSteps": 1,  # of the record that is not under the cluster's log URI
        "DescribeKey": 1,
        "HeadObject": 1,
    }
    aws.forget_calls()

    event["Records"] = event["Records"][:1] * 3
    invoke(function, event)

    assert aws.counts == {"HeadObject": 3}


def a_step_with_a_key(_: dict[str, Any]) -> dict[str, Any]:
    return {"Steps": [{"Id": "s-1", "Name": "load", "EncryptionKeyArn": ANOTHER_KEY.arn}]}


def test_check_log_objects_lists_steps_once_in_a_while(aws: StubbedAws) -> None:
    function, event = load("check_log_objects"), an_event("sqs-s3-object-created")
    aws.answer("ListSteps", a_step_with_a_key)
    aws.answer("HeadObject", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ANOTHER_KEY.arn})
    event["Records"] = event["Records"][:1] * 3

    invoke(function, event)
    assert (aws.counts["HeadObject"], aws.counts["ListSteps"]) == (3, 1)
    aws.forget_calls()

    invoke(function, event)
    assert "ListSteps" not in aws.counts


def test_enforce_lists_steps_each_time(aws: StubbedAws) -> None:
    function, event = load("enforce"), an_event("sqs-enforcement-request")
    body = json.loads(event["Records"][0]["body"])
    log = {"bucket": "amzn-s3-demo-emr-logs", "key": f"logs/{CLUSTER_ID}/node/a.gz"}
    event["Records"][0]["body"] = json.dumps(body | {"log_objects": [log]})
    aws.answer("HeadObject", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ANOTHER_KEY.arn})

    invoke(function, event)
    first = aws.counts["ListSteps"]
    invoke(function, event)

    assert aws.counts["ListSteps"] == 2 * first > 0


def test_check_log_objects_alerts_on_a_badly_encrypted_object(aws: StubbedAws) -> None:
    aws.answer("HeadObject", {"ServerSideEncryption": "AES256"})

    answer = invoke(load("check_log_objects"), an_event("sqs-s3-object-created"))

    assert answer == {"batchItemFailures": []}
    assert aws.counts["Publish"] == aws.counts["SendMessage"] == 1


def test_check_log_objects_has_only_the_bad_record_delivered_again(aws: StubbedAws) -> None:
    event = an_event("sqs-s3-object-created")
    good = event["Records"][0]
    event["Records"] = [good, good | {"messageId": "bad", "body": "no json"}, good]

    answer = invoke(load("check_log_objects"), event)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert aws.counts["HeadObject"] == 2


def test_enforce_terminates_what_is_still_bad(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", without_a_key)

    answer = invoke(load("enforce"), an_event("sqs-enforcement-request"))

    assert answer == {"batchItemFailures": []}
    assert ("TerminateJobFlows", {"JobFlowIds": [CLUSTER_ID]}) in aws.calls
    assert aws.counts["Publish"] == 1


def test_enforce_spares_what_is_fixed(aws: StubbedAws) -> None:
    invoke(load("enforce"), an_event("sqs-enforcement-request"))

    assert "TerminateJobFlows" not in aws.counts
    assert aws.counts["Publish"] == 1


def test_enforce_has_a_request_delivered_again_when_emr_is_busy(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", AwsError("ThrottlingException"))
    event = an_event("sqs-enforcement-request")

    answer = invoke(load("enforce"), event)

    message_id = event["Records"][0]["messageId"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": message_id}]}


@pytest.mark.usefixtures("aws")
def test_notify_slack_posts_the_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    posts: list[str] = []
    monkeypatch.setattr(slack.SlackWebhook, "post", lambda _, text: posts.append(text))

    assert invoke(load("notify_slack"), an_event("sns-alert")) == {"posted": 1}
    assert "EMRLOG-002" in posts[0]
