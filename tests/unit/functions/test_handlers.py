"""Each handler with a real event, real adapters and an AWS that only answers."""

import importlib.util
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from botocore.response import StreamingBody

from emr_log_guard import observability
from emr_log_guard.adapters import clients, slack
from emr_log_guard.adapters.sessions import AuditSession
from emr_log_guard.errors import ClusterNotFoundError, HandoffFailedError, InvalidEventError
from emr_log_guard.events.sqs import retry_delay
from emr_log_guard.rendering.alerts.asff import asff
from tests.unit.builders import (
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    NODE_ROLE_ARN,
    NOW,
    SERVICE_ROLE_ARN,
    a_cluster,
    a_finding,
)
from tests.unit.fake_table import FakeTable
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws, every_event_accepted

if TYPE_CHECKING:
    from emr_log_guard.domain.published_alert import PublishedAlert

# Powertools says so whenever an invocation fails before anything was measured.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

ROOT = Path(__file__).parents[3]
MACHINE = "arn:aws:states:eu-west-1:111122223333:execution:emr-log-guard-rescan"
WHEN = "2026-03-14T15:09:26Z"
ALIAS_ARN = f"{KEY.arn.rpartition(':')[0]}:alias/emr-logs"
READS_OF_A_COMPLIANT_CLUSTER = {
    "GetParameter": 1,
    "ListSteps": 1,
    "DescribeCluster": 1,
    "GetBucketNotificationConfiguration": 1,
    "HeadBucket": 1,
    "DescribeKey": 1,
    "GetRole": 1,
    "GetInstanceProfile": 1,
    "GetKeyPolicy": 1,
    "SimulatePrincipalPolicy": 2,
    "Query": 2,  # of the cluster, and of its log bucket
    # The policy as the last valid one, that the cluster is read, it, and that it uses its key.
    "PutItem": 4,
}
CLIENTS: tuple[Callable[[], Any], ...] = (
    clients.dynamodb,
    clients.emr,
    clients.events,
    clients.iam,
    clients.kms,
    clients.s3,
    clients.scheduler,
    clients.security_hub,
    clients.sns,
    clients.sqs,
    clients.ssm,
    clients.states,
)
POLICY = {
    "mode": "enforce",
    "enforcement": {
        "rules": ["EMRLOG-002", "EMRLOG-101"],
        "termination_protection": "respect",
        "grace_running_minutes": 0,
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
            "Arn": params["KeyId"] if params["KeyId"].startswith("arn:") else KEY.arn,
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
    yield from an_account(monkeypatch)


def an_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubbedAws]:
    """An account whose cluster and log objects are in order."""
    aws = StubbedAws()
    monkeypatch.setattr(observability.metrics, "namespace", "EmrLogGuard")
    for name, value in {
        "POLICY_PARAMETER_NAME": "/emr-log-guard/policy",
        "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
        "EMR_API_SHARE": "0.5",
        "ENFORCEMENT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/enforce",
        "ENFORCEMENT_QUEUE_ARN": "arn:aws:sqs:eu-west-1:111122223333:enforce",
        "CLUSTER_EVENTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/clusters",
        "LOG_OBJECTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/objects",
        "REENCRYPTION_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/reencryption",
        "DEAD_LETTER_QUEUE_ARN": "arn:aws:sqs:eu-west-1:111122223333:dead",
        "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/dead",
        "EVENT_BUS_ARN": "arn:aws:events:eu-west-1:111122223333:event-bus/default",
        "SCHEDULE_GROUP_NAME": "schedules",
        "SCHEDULE_ROLE_ARN": "arn:aws:iam::111122223333:role/schedules",
        "STACK_NAME": "emr-log-guard",
        "FINDINGS_TABLE_NAME": "findings",
        "REPORTS_BUCKET_NAME": "reports",
        "AMAZON_Q_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:amazon-q",
        "SLACK_WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:s",
    }.items():
        monkeypatch.setenv(name, value)
    for make_client in CLIENTS:
        aws.attach(make_client())
    # These are created by each cold start.
    monkeypatch.setattr(AuditSession, "s3", attached(aws, AuditSession.s3))
    monkeypatch.setattr(clients, "limited_emr", attached(aws, clients.limited_emr))
    for region in (None, "eu-west-1"):
        aws.attach(clients.kms(region))
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
    stored = {"Name": "policy", "Value": json.dumps(POLICY), "Version": 1, "LastModifiedDate": NOW}
    aws.answer("GetParameter", {"Parameter": stored})
    aws.answer("DescribeCluster", describe_cluster)
    aws.answer("ListSteps", {"Steps": []})
    aws.answer("GetBucketNotificationConfiguration", {"EventBridgeConfiguration": {}})
    aws.answer("HeadBucket", {"BucketRegion": "eu-west-1"})
    aws.answer("DescribeKey", describe_key)
    aws.answer("GetKeyPolicy", {"Policy": json.dumps({"Statement": [policy]})})
    aws.answer("GetRole", {"Role": a_role(SERVICE_ROLE_ARN)})
    aws.answer("GetInstanceProfile", {"InstanceProfile": profile})
    aws.answer("SimulatePrincipalPolicy", {"EvaluationResults": [allowed]})
    aws.answer("HeadObject", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY.arn})
    aws.answer("Publish", {"MessageId": "m"})
    aws.answer("SendMessage", {"MessageId": "m"})
    aws.answer("SendMessageBatch", {"Successful": [], "Failed": []})
    aws.answer("ChangeMessageVisibility", {})
    aws.answer("TerminateJobFlows", {})
    aws.answer("CreateSchedule", {"ScheduleArn": "arn"})
    aws.answer("DeleteSchedule", {})
    aws.answer("PutEvents", every_event_accepted)
    table = FakeTable()
    aws.answer("Query", lambda request: table.query(**request))
    aws.answer("GetItem", lambda request: table.get_item(**request))
    aws.answer("BatchGetItem", lambda request: table.batch_get_item(**request))
    aws.answer("PutItem", lambda request: table.put_item(**request))
    aws.answer("DeleteItem", lambda request: table.delete_item(**request))
    yield aws
    aws.detach()


def attached(aws: StubbedAws, make: Callable[..., Any]) -> Callable[..., Any]:
    """Have AWS's stub answer for the clients that are made."""
    answered: dict[int, Any] = {}

    def made(*given: object) -> Any:  # noqa: ANN401 - of any service
        client = make(*given)
        if id(client) not in answered:
            answered[id(client)] = aws.attach(client)
        return client

    return made


class Reports:
    """A bucket of reports: what is put there can be read."""

    def __init__(self, aws: StubbedAws) -> None:
        self.objects: dict[str, bytes] = {}
        aws.answer("PutObject", self.put)
        aws.answer("GetObject", self.get)

    def put(self, request: dict[str, Any]) -> dict[str, Any]:
        body = request["Body"]
        self.objects[request["Key"]] = body if isinstance(body, bytes) else body.read()
        return {}

    def get(self, request: dict[str, Any]) -> Answer:
        if request["Key"] not in self.objects:
            return AwsError("NoSuchKey", status=404)
        body = self.objects[request["Key"]]
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "Contents": [{"Key": key} for key in self.objects if key.startswith(request["Prefix"])]
        }


def an_account_with_one_cluster(aws: StubbedAws) -> Reports:
    """One cluster, with one log object, and a bucket of reports."""
    reports = Reports(aws)
    listed = {
        "Id": CLUSTER_ID,
        "Name": "nightly-etl",
        "ClusterArn": a_cluster().arn,
        "Status": {"State": "RUNNING"},
    }
    aws.answer("ListClusters", {"Clusters": [listed]})
    log = {"Key": f"logs/{CLUSTER_ID}/node/a.gz", "LastModified": NOW}
    aws.answer(
        "ListObjectsV2",
        lambda asked: reports.list(asked) if asked["Bucket"] == "reports" else {"Contents": [log]},
    )
    return reports


def test_rescan_is_planned_scanned_and_finished(aws: StubbedAws) -> None:
    reports = an_account_with_one_cluster(aws)
    event = {"execution": f"{MACHINE}:1", "input": {}}

    planned = json.loads(json.dumps(invoke(load("plan_rescan"), event)))
    clusters = planned["scan"]
    keys = [f"rescans/1/shards/{kind}.jsonl" for kind in ("clusters", "log-objects")]
    assert planned["shards"] == 2
    assert [each["shards_key"] for each in (clusters, clusters["then"])] == keys
    for line in (line for key in keys for line in reports.objects[key].splitlines()):
        task = {"rescan": planned["rescan"], "shard": json.loads(line)}
        assert invoke(load("scan_shard"), task) == {}
    answer = invoke(load("finish_rescan"), {"rescan": planned["rescan"]})

    assert answer["compliance"] == "COMPLIANT"
    report = json.loads(reports.objects["rescans/1/report.json"])
    assert report["counts"]["clusters"]["COMPLIANT"] == 1
    assert report["counts"]["log_objects"]["COMPLIANT"] == 1
    [notified] = [request for call, request in aws.calls if call == "Publish"]
    assert notified["MessageAttributes"]["kind"]["StringValue"] == "rescan.done"
    assert aws.counts["ListClusters"] == aws.counts["HeadObject"] == 1
    assert aws.counts["DescribeCluster"] == 1  # the log object's shard recalls it


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


def test_check_cluster_reads_each_thing_once(aws: StubbedAws) -> None:
    answer = invoke(load("check_cluster"), an_event("emr-cluster-state-change-starting"))

    assert (answer["cluster_id"], answer["compliance"]) == (CLUSTER_ID, "COMPLIANT")
    assert aws.counts == READS_OF_A_COMPLIANT_CLUSTER


def test_check_cluster_while_warm_reads_only_the_cluster_and_its_steps(aws: StubbedAws) -> None:
    function, event = load("check_cluster"), an_event("emr-cluster-state-change-running")
    invoke(function, event)
    aws.forget_calls()

    event["detail"]["clusterId"] = "j-ANOTHERCLUSTER"
    invoke(function, event)

    assert aws.counts == {"DescribeCluster": 1, "ListSteps": 1, "Query": 1, "PutItem": 3}
    aws.forget_calls()

    invoke(function, event)

    assert aws.counts == {"Query": 1}


@pytest.mark.parametrize(
    ("name", "changed", "asked"),
    [
        ("kms-cmk-deletion", KEY.arn, {"Query": 1}),
        ("cloudtrail-update-alias", ALIAS_ARN, {"GetParameter": 1, "Query": 2}),
        (
            "cloudtrail-disconnect-custom-key-store",
            "cks-1234567890abcdef0",
            {"DescribeKey": 1, "Query": 1},
        ),
    ],
)
def test_check_key_handles_each_kind_of_event_with_few_calls(
    aws: StubbedAws, name: str, changed: str, asked: dict[str, int]
) -> None:
    invoke(load("check_cluster"), an_event("emr-cluster-state-change-running"))
    described = describe_key({"KeyId": KEY.arn})["KeyMetadata"]
    aws.answer(
        "DescribeKey", {"KeyMetadata": described | {"CustomKeyStoreId": "cks-1234567890abcdef0"}}
    )
    aws.forget_calls()

    answer = invoke(load("check_key"), an_event(name))

    assert answer == {"key": changed, "clusters": [CLUSTER_ID]}
    assert aws.counts == asked | {"PutEvents": 1}


NOTIFIED = {"GetParameterHistory": 1, "Publish": 1}


@pytest.mark.parametrize(
    ("event", "also"), [("scheduled-review", {}), ("parameter-store-change", NOTIFIED)]
)
def test_review_findings_requests_rechecks_hourly_and_after_a_policy_change(
    aws: StubbedAws, event: str, also: dict[str, int]
) -> None:
    version = {"Value": "{}", "Version": 1, "LastModifiedDate": NOW}
    aws.answer("GetParameterHistory", {"Parameters": [version]})
    aws.answer("HeadObject", {"ServerSideEncryption": "AES256"})
    invoke(load("check_log_objects"), an_event("sqs-s3-object-created"))
    aws.forget_calls()

    answer = invoke(load("review_findings"), an_event(event))

    assert answer == {"clusters": 1, "log_objects": 1}
    assert aws.counts == {"Query": 1, "PutEvents": 1, "SendMessage": 1} | also


def test_review_findings_requests_rechecks_although_the_policy_change_cannot_be_alerted(
    aws: StubbedAws,
) -> None:
    aws.answer("HeadObject", {"ServerSideEncryption": "AES256"})
    invoke(load("check_log_objects"), an_event("sqs-s3-object-created"))
    aws.answer("GetParameterHistory", AwsError("AccessDeniedException"))
    aws.forget_calls()

    with pytest.raises(HandoffFailedError):
        invoke(load("review_findings"), an_event("parameter-store-change"))

    assert aws.counts["PutEvents"] == 1


def test_check_cluster_raises_for_an_unknown_cluster(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", AwsError("InvalidRequestException"))

    with pytest.raises(ClusterNotFoundError):
        invoke(load("check_cluster"), an_event("emr-cluster-state-change-starting"))


def a_batch_of(*events: object) -> dict[str, Any]:
    """SQS's event for queued events, whose ids are their places: m0, m1, …"""
    return {
        "Records": [
            {
                "messageId": f"m{place}",
                "receiptHandle": f"r{place}",
                "body": json.dumps(event),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for place, event in enumerate(events)
        ]
    }


def test_check_cluster_postpones_only_throttled_messages(aws: StubbedAws) -> None:
    throttled = AwsError("ThrottlingException")
    aws.answer(
        "DescribeCluster",
        lambda asked: throttled if asked["ClusterId"] == "j-BUSY" else describe_cluster(asked),
    )
    events = [an_event("emr-cluster-state-change-starting") for _ in range(2)]
    events[0]["detail"]["clusterId"] = "j-BUSY"

    answer = invoke(load("check_cluster"), a_batch_of(*events))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    [postponed] = [call for name, call in aws.calls if name == "ChangeMessageVisibility"]
    assert postponed["ReceiptHandle"] == "r0"
    assert 2 <= postponed["VisibilityTimeout"] <= retry_delay(1)
    assert "Publish" not in aws.counts


def test_check_log_objects_reads_one_head_per_object(aws: StubbedAws) -> None:
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
        "GetItem": 1,
        "PutItem": 3,  # the last valid policy, the cluster, and that it was launched with the key
    }
    aws.forget_calls()

    event["Records"] = event["Records"][:1] * 3
    invoke(function, event)

    assert aws.counts == {"HeadObject": 3}


def a_step_with_a_key(_: dict[str, Any]) -> dict[str, Any]:
    return {"Steps": [{"Id": "s-1", "Name": "load", "EncryptionKeyArn": ANOTHER_KEY.arn}]}


def test_check_log_objects_caches_steps(aws: StubbedAws) -> None:
    function, event = load("check_log_objects"), an_event("sqs-s3-object-created")
    aws.answer("ListSteps", a_step_with_a_key)
    aws.answer("HeadObject", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ANOTHER_KEY.arn})
    event["Records"] = event["Records"][:1] * 3

    invoke(function, event)
    assert (aws.counts["HeadObject"], aws.counts["ListSteps"]) == (3, 1)
    aws.forget_calls()

    invoke(function, event)
    assert "ListSteps" not in aws.counts


def test_enforce_does_not_cache_steps(aws: StubbedAws) -> None:
    function, event = load("enforce"), an_event("sqs-enforcement-request")
    body = json.loads(event["Records"][0]["body"])
    log = {"bucket": "amzn-s3-demo-emr-logs", "key": f"logs/{CLUSTER_ID}/node/a.gz"}
    event["Records"][0]["body"] = json.dumps(body | {"log_objects": [log]})
    aws.answer("HeadObject", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ANOTHER_KEY.arn})

    invoke(function, event)
    first = aws.counts["ListSteps"]
    invoke(function, event)

    assert aws.counts["ListSteps"] == 2 * first > 0


def test_check_log_objects_returns_only_the_failed_record(aws: StubbedAws) -> None:
    event = an_event("sqs-s3-object-created")
    good = event["Records"][0]
    event["Records"] = [good, good | {"messageId": "bad", "body": "no json"}, good]

    answer = invoke(load("check_log_objects"), event)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert aws.counts["HeadObject"] == 2


class Log:
    """A log object with SSE-S3, until it is re-encrypted."""

    def __init__(self, aws: StubbedAws) -> None:
        self.head: dict[str, Any] = {"ServerSideEncryption": "AES256"}
        aws.answer("HeadObject", lambda _: self.head)
        aws.answer("UpdateObjectEncryption", self.update)

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        key = request["ObjectEncryption"]["SSEKMS"]["KMSKeyArn"]
        self.head = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        return {}


def reencrypting(aws: StubbedAws) -> None:
    """Store a policy that re-encrypts log objects, and terminates nothing."""
    policy = {"mode": "alert", "reencryption": {"enabled": True}}
    stored = {"Name": "policy", "Value": json.dumps(policy), "Version": 1, "LastModifiedDate": NOW}
    aws.answer("GetParameter", {"Parameter": stored})


def test_check_log_objects_requests_the_reencryption_of_a_violating_object(
    aws: StubbedAws,
) -> None:
    Log(aws)
    reencrypting(aws)

    invoke(load("check_log_objects"), an_event("sqs-s3-object-created"))

    [sent] = [request for call, request in aws.calls if call == "SendMessageBatch"]
    [entry] = sent["Entries"]
    assert json.loads(entry["MessageBody"])["schema"] == "emr-log-guard/reencryption/1"
    assert "Publish" not in aws.counts


def test_reencrypt_reads_an_object_twice_and_updates_it_once(aws: StubbedAws) -> None:
    Log(aws)
    reencrypting(aws)
    invoke(load("check_log_objects"), an_event("sqs-s3-object-created"))
    [sent] = [request for call, request in aws.calls if call == "SendMessageBatch"]
    function, event = load("reencrypt"), an_event("sqs-reencryption-request")
    event["Records"][0]["body"] = sent["Entries"][0]["MessageBody"]
    aws.forget_calls()

    assert invoke(function, event) == {"batchItemFailures": []}

    [update] = [request for call, request in aws.calls if call == "UpdateObjectEncryption"]
    assert update == {
        "Bucket": "amzn-s3-demo-emr-logs",
        "Key": json.loads(event["Records"][0]["body"])["key"],
        "VersionId": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
        "ExpectedBucketOwner": "111122223333",
        "ObjectEncryption": {"SSEKMS": {"KMSKeyArn": KEY.arn, "BucketKeyEnabled": False}},
    }
    assert aws.counts == {
        "GetParameter": 1,
        "GetItem": 1,
        "DescribeKey": 1,
        "HeadBucket": 1,
        "HeadObject": 2,
        "UpdateObjectEncryption": 1,
        "Query": 5,
        # The policy as the last valid one, the attempt, the hour's budget, the result, the
        # decision, and that it was notified.
        "PutItem": 6,
        "Publish": 1,
    }
    aws.forget_calls()

    assert invoke(function, event) == {"batchItemFailures": []}
    assert "UpdateObjectEncryption" not in aws.counts
    assert aws.counts["HeadObject"] == 1


def test_reencrypt_returns_a_throttled_object_to_the_queue_and_postpones_it(
    aws: StubbedAws,
) -> None:
    Log(aws)
    reencrypting(aws)
    aws.answer("UpdateObjectEncryption", AwsError("SlowDown", status=503))

    answer = invoke(load("reencrypt"), an_event("sqs-reencryption-request"))

    [record] = an_event("sqs-reencryption-request")["Records"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
    [postponed] = [r for call, r in aws.calls if call == "ChangeMessageVisibility"]
    assert 2 <= postponed["VisibilityTimeout"] <= retry_delay(1)


def test_enforce_terminates_a_cluster_that_still_violates(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", without_a_key)
    invoke(load("check_cluster"), an_event("emr-cluster-state-change-running"))
    aws.forget_calls()

    answer = invoke(load("enforce"), an_event("sqs-enforcement-request"))

    assert answer == {"batchItemFailures": []}
    assert ("TerminateJobFlows", {"JobFlowIds": [CLUSTER_ID]}) in aws.calls
    assert aws.counts == {
        "GetParameter": 1,
        "DescribeCluster": 2,  # again for the log object that the request names
        "DescribeKey": 1,
        "HeadObject": 1,
        "ListSteps": 1,
        "Query": 2,
        # The policy as the last valid one, the decision, that EMR is called, and that it accepted.
        "PutItem": 4,
        "TerminateJobFlows": 1,
        "SendMessage": 1,  # to see later whether it ended
    }


def test_enforce_reads_a_changed_policy_before_terminating(aws: StubbedAws) -> None:
    function, event = load("enforce"), an_event("sqs-enforcement-request")
    invoke(function, event)
    aws.answer("DescribeCluster", without_a_key)
    invoke(load("check_cluster"), an_event("emr-cluster-state-change-running"))
    aws.forget_calls()
    milder = {
        "Name": "policy",
        "Value": json.dumps(POLICY | {"mode": "alert"}),
        "Version": 2,
        "LastModifiedDate": NOW,
    }
    aws.answer("GetParameter", {"Parameter": milder})

    assert invoke(function, event) == {"batchItemFailures": []}

    assert aws.counts["GetParameter"] == 1
    assert "TerminateJobFlows" not in aws.counts


def test_enforce_returns_the_request_to_the_queue_when_emr_throttles(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", AwsError("ThrottlingException"))
    event = an_event("sqs-enforcement-request")

    answer = invoke(load("enforce"), event)

    message_id = event["Records"][0]["messageId"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": message_id}]}


@pytest.mark.usefixtures("aws")
def test_notify_slack_posts_the_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    posts: list[tuple[str, PublishedAlert]] = []
    monkeypatch.setattr(slack.SlackWebhooks, "post", lambda _, *post: posts.append(post))

    assert invoke(load("notify_slack"), an_event("sns-alert")) == {"posted": 1}
    [(webhook, notice)] = posts
    assert webhook == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:s"
    assert "EMRLOG-002" in notice.subject


def test_notify_amazon_q_publishes_the_alert(aws: StubbedAws) -> None:
    aws.answer("Publish", {"MessageId": "m"})

    assert invoke(load("notify_amazon_q"), an_event("sns-alert")) == {"published": 1}
    [(_, published)] = aws.calls
    assert published["TopicArn"] == "arn:aws:sns:eu-west-1:111122223333:amazon-q"
    assert json.loads(published["Message"])["source"] == "custom"


def test_emit_events_puts_an_event_for_each_finding(aws: StubbedAws) -> None:
    aws.answer("PutEvents", {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}] * 2})

    assert invoke(load("emit_events"), an_event("sns-alert")) == {"emitted": 2}

    [(_, request)] = aws.calls
    first = request["Entries"][0]
    assert first["EventBusName"] == "arn:aws:events:eu-west-1:111122223333:event-bus/default"
    assert (first["Source"], first["DetailType"]) == ("emr-log-guard", "Finding Opened")
    assert json.loads(first["Detail"])["alert_id"] == "95df01b4-ee98-5cb9-9903-4c221d41eb5e"


PRODUCT = "arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default"


def test_import_findings_imports_each_changed_finding_once(
    aws: StubbedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECURITY_HUB_PRODUCT_ARN", PRODUCT)
    aws.answer("DescribeCluster", without_a_key)
    aws.answer("BatchImportFindings", {"SuccessCount": 1, "FailedCount": 0})
    invoke(load("check_cluster"), an_event("emr-cluster-state-change-running"))
    aws.forget_calls()

    answer = invoke(load("import_findings"), an_event("dynamodb-stream-findings"))

    # The stream also contains a second one, which has no record.
    assert answer == {"imported": 1, "refused": 0, "unknown": 1}
    assert aws.counts == {"BatchGetItem": 3, "BatchImportFindings": 1}


def test_import_findings_raises_while_security_hub_is_disabled(
    aws: StubbedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECURITY_HUB_PRODUCT_ARN", PRODUCT)
    aws.answer("DescribeCluster", without_a_key)
    aws.answer("BatchImportFindings", AwsError("InvalidAccessException"))
    invoke(load("check_cluster"), an_event("emr-cluster-state-change-running"))

    with pytest.raises(Exception, match="InvalidAccessException"):
        invoke(load("import_findings"), an_event("dynamodb-stream-findings"))


def test_import_findings_rejects_events_of_other_functions(
    aws: StubbedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECURITY_HUB_PRODUCT_ARN", PRODUCT)
    module = load("import_findings")

    for event in ({}, an_event("sns-alert"), {"schema": "emr-log-guard/import-findings/2"}):
        with pytest.raises(InvalidEventError):
            invoke(module, event)
    assert aws.calls == []


@pytest.mark.parametrize(("status", "terminated"), [("SUPPRESSED", 0), ("NEW", 1), (None, 0)])
def test_enforce_reads_suppressions_before_terminating(
    aws: StubbedAws, monkeypatch: pytest.MonkeyPatch, status: str | None, terminated: int
) -> None:
    monkeypatch.setenv("SECURITY_HUB_PRODUCT_ARN", PRODUCT)
    aws.answer("DescribeCluster", without_a_key)
    invoke(load("check_cluster"), an_event("emr-cluster-state-change-running"))
    aws.forget_calls()
    there = asff(a_finding(), NOW) | {"Workflow": {"Status": status}}
    aws.answer("GetFindings", {"Findings": [there]} if status else AwsError("AccessDenied"))

    invoke(load("enforce"), an_event("sqs-enforcement-request"))

    assert aws.counts["GetFindings"] == 1
    assert aws.counts.get("TerminateJobFlows", 0) == terminated
    assert aws.counts.get("Publish", 0) == 1 - terminated
