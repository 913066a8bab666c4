"""The real template on an emulated account, with an estate of clusters and keys beside it."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from emr_log_guard.adapters.dynamodb import DynamoFindingRepository
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.finding_record import FindingRecord, Kind, LastNotified
from emr_log_guard.domain.log_objects import ObjectVersion
from sandbox import EmrPace, Sandbox
from sandbox.alert_inbox import AlertInbox
from sandbox.demo.scenarios import Keys
from sandbox.fixtures import OTHER_ACCOUNT, OTHER_ACCOUNTS_BUCKET, Fixtures
from sandbox.function_logs import FunctionLogs
from sandbox.running import DEFAULT_STACK
from tests.security_hub import SecurityHub
from tests.slack import Slack
from tests.unit.builders import a_finding

PACE = EmrPace(launch=300, step=1, termination=0.2)
"""Clusters that stay STARTING for as long as a test looks at them: one event each."""

DELIVERIES = 5
"""How often the template's queues deliver a message before it is a dead letter."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployed stack, and everything around it that a test looks at."""

    account: Sandbox
    fixtures: Fixtures
    keys: Keys
    inbox: AlertInbox
    function_logs: FunctionLogs
    outputs: dict[str, str]

    def resource(self, logical_id: str) -> str:
        """Name a resource of the stack as AWS does."""
        answer = self.account.client("cloudformation").describe_stack_resource(
            StackName=DEFAULT_STACK, LogicalResourceId=logical_id
        )
        name: str = answer["StackResourceDetail"]["PhysicalResourceId"]
        return name

    def resources(self) -> set[str]:
        """Name all resources of the stack as the template does."""
        pages = (
            self.account.client("cloudformation")
            .get_paginator("list_stack_resources")
            .paginate(StackName=DEFAULT_STACK)
        )
        return {
            resource["LogicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
        }

    def invoke(self, function: str, event: object) -> tuple[Any, str | None]:
        """Invoke a function and wait: its result, and the kind of its error if it failed."""
        answer = self.account.client("lambda").invoke(
            FunctionName=self.resource(function), Payload=json.dumps(event)
        )
        return json.loads(answer["Payload"].read() or "null"), answer.get("FunctionError")

    def recheck(self, cluster_id: str) -> dict[str, Any]:
        """Have a cluster checked, with everything read again, and wait for the summary."""
        detail = {"stack": DEFAULT_STACK, "cluster_id": cluster_id}
        return self.deliver(
            {"source": "emr-log-guard", "detail-type": "Recheck Requested", "detail": detail}
        )

    def deliver(self, event: dict[str, Any]) -> dict[str, Any]:
        """Have an event of a cluster handled, and wait for the summary.

        A check that fails, as while another one reads the same cluster for the first time or is
        about to notify of it, is asked for again, as often as a queue would deliver it.
        """
        failures = []
        for attempt in range(DELIVERIES):
            time.sleep(attempt)
            summary, error = self.invoke("CheckClusterFunction", event)
            if error is None:
                checked: dict[str, Any] = summary
                return checked
            failures.append(f"{error}: {json.dumps(summary)}")
        raise AssertionError("\n".join(failures))

    def check(self, cluster_id: str, state: str = "STARTING") -> str | None:
        """Have a cluster checked once: the kind of the error, if it failed.

        For a stack that no event reaches: an event's own check may be under way, and refuse this.
        """
        return self.invoke("CheckClusterFunction", cluster_event(cluster_id, state))[1]

    @property
    def repository(self) -> DynamoFindingRepository:
        """The records of the guard."""
        return DynamoFindingRepository(
            self.account.client("dynamodb"), self.outputs["FindingsTableName"]
        )

    def opened_long_ago(
        self,
        cluster_id: str,
        *rule_ids: str,
        objects: tuple[ObjectVersion, ...] = (),
        notified: bool = False,
    ) -> None:
        """Have findings of a cluster whose grace is over, alerted or not."""
        arn = self.cluster_arn(cluster_id)
        before = datetime.now(UTC) - timedelta(hours=2)
        last_notified = LastNotified(before, Compliance.NON_COMPLIANT, before) if notified else None
        for rule_id in rule_ids:
            finding = a_finding(rule_id, cluster_id=cluster_id, id=f"{arn}#{rule_id}")
            self.repository.write(
                FindingRecord(
                    finding=replace(finding, cluster_arn=arn),
                    kind=Kind.LOG_OBJECTS if rule_id > "EMRLOG-1" else Kind.CLUSTER,
                    opened_at=before,
                    evaluated_at=before,
                    objects=objects,
                    newest=datetime.now(UTC) if rule_id > "EMRLOG-1" else None,
                    last_notified=last_notified,
                    ever_notified=notified,
                )
            )

    def forget_findings(self) -> None:
        """Have nothing open."""
        client, table = self.account.client("dynamodb"), self.outputs["FindingsTableName"]
        for record in list(self.repository.open_records()):
            finding = record.finding
            place = {
                "pk": {"S": finding.cluster_id},
                "sk": {"S": f"finding#{finding.rule_id}"},
            }
            client.delete_item(TableName=table, Key=place)

    def schedule(self, cluster_id: str) -> None:
        """Have a schedule stand for a cluster already."""
        self.account.client("scheduler").create_schedule(
            Name=cluster_id,
            GroupName=self.resource("EnforcementSchedules"),
            ScheduleExpression="at(2999-12-31T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:sqs:us-east-1:000000000000:elsewhere",
                "RoleArn": self.account.client("iam").get_role(
                    RoleName=self.resource("EnforcementSchedulesRole")
                )["Role"]["Arn"],
            },
        )

    def scheduled(self, cluster_id: str) -> bool:
        """Say whether the guard's own schedule stands for a cluster."""
        group = self.resource("EnforcementSchedules")
        found = self.account.client("scheduler").list_schedules(GroupName=group)["Schedules"]
        return any(
            each["Name"] == cluster_id and "elsewhere" not in each["Target"]["Arn"]
            for each in found
        )

    def forget(self, function: str) -> None:
        """Have the next invocation start cold: a new environment has nothing cached."""
        self.account.start_cold(self.resource(function))

    def point(self, function: str, service: str, url: str) -> None:
        """Have a function talk to a service that the account lacks, elsewhere."""
        self.account.set_variable(self.resource(function), f"AWS_ENDPOINT_URL_{service}", url)

    @contextmanager
    def policy(self, text: str) -> Iterator[None]:
        """Have another policy for a while, as environments that start now read it.

        Open findings are deleted first: a changed policy starts checks of all of them.
        """
        self.forget_findings()
        ssm, name = self.account.client("ssm"), self.outputs["PolicyParameterName"]
        usual = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        ssm.put_parameter(Name=name, Value=text, Overwrite=True)
        self.forget("CheckClusterFunction")
        try:
            yield
        finally:
            self.forget_findings()
            ssm.put_parameter(Name=name, Value=usual, Overwrite=True)
            self.forget("CheckClusterFunction")

    def make_webhook(self, name: str, url: str) -> str:
        """Keep a webhook's URL as a secret; name it by its ARN."""
        return make_webhook(self.account, name, url)

    def close_bucket(self, bucket: str) -> None:
        """Deny every principal reading a bucket's objects."""
        deny = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject*",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        self.account.client("s3").put_bucket_policy(
            Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        )

    def about_logs(self, cluster_id: str) -> list[dict[str, Any]]:
        """Give the alerts about a cluster's log objects.

        A bucket that sends no events, so that only the test invokes the function, has one more.
        """
        return [
            alert
            for alert in self.inbox.about(cluster_id)
            if any(finding["rule_id"] > "EMRLOG-1" for finding in alert["findings"])
        ]

    def cluster_arn(self, cluster_id: str) -> str:
        """Name a cluster by its ARN."""
        emr = self.account.client("emr")
        arn: str = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["ClusterArn"]
        return arn

    def launch_checked(self, cluster_id: str) -> bool:
        """Say whether a launch was checked for both of its events, EMR's and CloudTrail's.

        What a test then changes, no late event of the launch meets. One check may be for both.
        """
        verdicts = self.verdicts(cluster_id)
        return len(verdicts) > 1 or bool(verdicts and not self.queued("ClusterEventsQueue"))

    def queued(self, queue: str) -> int:
        """Count the messages of a queue, received or not."""
        names = ("Messages", "MessagesNotVisible", "MessagesDelayed")
        found = self.account.client("sqs").get_queue_attributes(
            QueueUrl=self.resource(queue), AttributeNames=["All"]
        )["Attributes"]
        return sum(int(found[f"ApproximateNumberOf{name}"]) for name in names)

    @contextmanager
    def given_up_at_once(self, queue: str) -> Iterator[None]:
        """Have a queue's messages become dead letters when their first attempt failed."""
        sqs, url = self.account.client("sqs"), self.resource(queue)
        [usual] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])[
            "Attributes"
        ].values()
        once = json.dumps(json.loads(usual) | {"maxReceiveCount": 1})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": once})
        try:
            yield
        finally:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": usual})

    def dead_letters(self, about: str) -> list[dict[str, Any]]:
        """Give the messages in the dead-letter queue whose body has a text, and leave them there.

        There may be others: on a slow machine an event that others depend on may fail three times.
        """
        sqs, url = self.account.client("sqs"), self.outputs["DeadLetterQueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [each for each in found.get("Messages", ()) if about in each["Body"]]

    def idle(self, queue: str) -> bool:
        """Say whether nothing waits in a queue, and nothing of it is being handled."""
        return self.account.is_idle(self.resource(queue), delayed=False)

    def verdicts(self, cluster_id: str) -> list[str]:
        """Say how the cluster itself was evaluated, once an event."""
        records = self.function_logs.records(
            "check_cluster", message="cluster checked", cluster_id=cluster_id
        )
        return [record["compliance"] for record in records]


def make_webhook(account: Sandbox, name: str, url: str) -> str:
    """Keep a webhook's URL as a secret; name it by its ARN."""
    secrets = account.client("secretsmanager")
    arn: str = secrets.create_secret(Name=name, SecretString=url)["ARN"]
    return arn


@contextmanager
def deployed(
    built: Path,
    *,
    webhook: str | None = None,
    pace: EmrPace = PACE,
    settings: Mapping[str, Any] | None = None,
    **parameters: str,
) -> Iterator[Deployed]:
    """Deploy the stack to an account of its own, with keys, roles and a log bucket in it.

    Args:
        built: The built template.
        webhook: The URL of a Slack webhook, to be kept as a secret; None goes without Slack.
        pace: How fast clusters live.
        settings: Further arguments of `Sandbox.start`.
        parameters: The template's.

    """
    with Sandbox.start(emr=pace, **(settings or {})) as account:
        if webhook:
            parameters["SlackWebhookSecretArn"] = make_webhook(account, "slack-webhook", webhook)
        fixtures = Fixtures(account)
        keys = Keys.make(fixtures)
        fixtures.make_roles()
        fixtures.make_role_without_key()
        fixtures.make_log_bucket()
        fixtures.make_log_bucket(OTHER_ACCOUNTS_BUCKET, owner=OTHER_ACCOUNT)
        # The account has no quotas, unless a test says otherwise.
        given = {"ApprovedKeys": keys.approved_list, "EmrApiShare": "100", **parameters}
        outputs = account.deploy(given, built=built)
        inbox = AlertInbox(account, outputs["AlertsTopicArn"])
        yield Deployed(account, fixtures, keys, inbox, FunctionLogs(account), outputs)


@contextmanager
def enforcing(built: Path, slack: Slack, hub: SecurityHub) -> Iterator[Deployed]:
    """Deploy a stack with everything on: it terminates, overrides protection, and alerts chats."""
    rules = "EMRLOG-002,EMRLOG-003,EMRLOG-004,EMRLOG-005,EMRLOG-006,EMRLOG-008,EMRLOG-101"
    with deployed(
        built,
        webhook=slack.url,
        Mode="enforce",
        EnforcementAllowed="true",
        EnforcementRules=rules,
        GraceRunningMinutes="0",
        TerminationProtection="override",
        ReencryptionAllowed="true",
        AmazonQNotifications="true",
        SecurityHub="true",
    ) as stack:
        for function in ("ImportFindingsFunction", "EnforceFunction"):
            stack.point(function, "SECURITYHUB", hub.url)
        yield stack


def cluster_event(cluster_id: str, state: str = "STARTING") -> dict[str, Any]:
    """EMR's event for a cluster: anybody who may invoke the function can forge one."""
    return {
        "id": "12345678-1234-1234-1234-123456789012",
        "source": "aws.emr",
        "detail-type": "EMR Cluster State Change",
        "detail": {"clusterId": cluster_id, "state": state},
    }


def object_event(bucket: str, key: str, version_id: str | None = None) -> dict[str, Any]:
    """S3's event for an object."""
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "account": "111122223333",
        "region": "us-east-1",
        "detail": {
            "bucket": {"name": bucket},
            "object": {"key": key} | ({"version-id": version_id} if version_id else {}),
        },
    }


def batch(*bodies: object) -> dict[str, Any]:
    """SQS's event for messages, whose ids are their places: m0, m1, …"""
    return {
        "Records": [
            {
                "messageId": f"m{place}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:queue",
                "awsRegion": "us-east-1",
            }
            for place, body in enumerate(bodies)
        ]
    }
