"""A deployed stack of a trial: its policy, alerts, queues and findings table."""

import json
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from os import environ
from typing import Any

from sandbox.alert_inbox import AlertInbox, AlertMessage
from sandbox.chaos.comparison import Delivered, Observed
from sandbox.chaos.population import Population
from sandbox.chaos.truth import ENFORCED, EXEMPT, Plan
from sandbox.deployment import ROOT
from sandbox.fixtures import Fixtures
from sandbox.running import Sandbox

REGIONS = {Plan.ALERT: "us-east-1", Plan.ENFORCE: "us-west-2", Plan.GRACE: "eu-west-1"}
"""Each stack has its own Region, so it does not see the clusters of another one."""
GRACE_MINUTES = {Plan.ALERT: 0, Plan.ENFORCE: 0, Plan.GRACE: 1}
VISIBILITY_SECONDS = 720
"""The visibility timeout of the stack's queues."""
QUEUES = ("LogObjectsQueue", "EnforcementQueue")
LETTERS = 10


@dataclass(slots=True)
class ChaosStack:
    """One stack, with its clusters and its alerts."""

    plan: Plan
    account: Sandbox
    population: Population
    outputs: Mapping[str, str]
    inbox: AlertInbox
    resources: Mapping[str, str]
    received: list[tuple[float, AlertMessage]] = field(default_factory=list)

    @classmethod
    def deploy(cls, account: Sandbox, plan: Plan, scale: float) -> "ChaosStack":
        """Deploy a stack to its own Region, and create its keys and its log bucket.

        Args:
            account: The account, in any Region.
            plan: How the stack reacts to findings.
            scale: The factor for the visibility timeout of its queues.
        """
        here = account.in_region(REGIONS[plan])
        fixtures = Fixtures(here)
        population = Population(
            fixtures,
            fixtures.make_key("emr-logs"),
            fixtures.make_key("others"),
            f"logs-{here.region}",
        )
        fixtures.make_log_bucket(population.bucket)
        enforces = plan is not Plan.ALERT
        name = f"guard-{plan}"
        outputs = here.deploy(
            {
                "ApprovedKeys": population.approved_key,
                "Mode": "enforce" if enforces else "alert",
                "EnforcementAllowed": "true" if enforces else "false",
                "RescanSchedule": "",
                "DeepRescanSchedule": "",
                "EmrApiShare": "100",  # this account has no quotas
            },
            stack=name,
        )
        inbox = AlertInbox(here, outputs["AlertsTopicArn"])
        stack = cls(plan, here, population, outputs, inbox, _resources(here, name))
        for queue in stack._queues():
            stack.set_visibility(queue, VISIBILITY_SECONDS * scale)
        return stack

    @property
    def name(self) -> str:
        """The stack's name."""
        return f"guard-{self.plan}"

    def policy(self, *, long_grace: bool = False, **changes: object) -> str:
        """The policy document that the stack starts a trial with, or a modified one.

        Args:
            long_grace: Whether the grace period, if the stack has one, outlasts the trial.
            changes: Fields of the document to replace.
        """
        minutes = GRACE_MINUTES[self.plan] * (60 if long_grace else 1)
        document = {
            "mode": "alert" if self.plan is Plan.ALERT else "enforce",
            "approved_keys": [self.population.approved_key],
            "enforcement": {
                "rules": sorted(ENFORCED),
                "grace_at_launch_minutes": minutes,
                "grace_running_minutes": minutes,
            },
            "exemptions": [
                {
                    "cluster": {"name": f"{EXEMPT}*"},
                    "rules": ["*"],
                    "until": "2999-12-31",
                    "reason": "a trial",
                    "approved_by": "security@example.com",
                }
            ],
        }
        return json.dumps(document | changes)

    def set_policy(self, text: str) -> None:
        """Write the policy parameter."""
        name = self.outputs["PolicyParameterName"]
        self.account.client("ssm").put_parameter(
            Name=name, Value=text, Overwrite=True, Type="String"
        )

    def delete_policy(self) -> None:
        """Delete the policy parameter."""
        self.account.client("ssm").delete_parameter(Name=self.outputs["PolicyParameterName"])

    def set_visibility(self, queue: str, seconds: float) -> None:
        """Set a queue's visibility timeout."""
        if queue in self.resources:
            self.account.client("sqs").set_queue_attributes(
                QueueUrl=self.resources[queue],
                Attributes={"VisibilityTimeout": str(max(1, round(seconds)))},
            )

    def receive(self) -> None:
        """Receive the alerts that have arrived, with their time of arrival."""
        self.received += [(time.monotonic(), alert) for alert in self.inbox.receive()]

    def busy(self) -> str:
        """Describe what the stack still has to process; empty if nothing.

        Delayed messages do not count: they only check the outcome of a termination.
        """
        for queue in self._queues():
            if not self.account.is_idle(self.resources[queue], delayed=False):
                return f"{queue} of {self.name}"
        return ""

    def schedules(self) -> list[str]:
        """The clusters with a termination schedule."""
        group = self.resources.get("EnforcementSchedules")
        if group is None:
            return []
        scheduler = self.account.client("scheduler")
        return [each["Name"] for each in scheduler.list_schedules(GroupName=group)["Schedules"]]

    def replay(self) -> str:
        """Replay the dead letters as an operator does; return the command's output."""
        done = subprocess.run(
            [sys.executable, "-m", "emr_log_guard.cli", "replay", "--stack", self.name,
             "--dead-letters", "--yes", "--max", "1000"],
            env=environ
            | self.account.environment
            | {"PYTHONPATH": str(ROOT / "layers" / "emr_log_guard"), "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def dead_letters(self) -> list[str]:
        """Describe up to ten messages in the dead-letter queue, and leave them there."""
        found = self.account.client("sqs").receive_message(
            QueueUrl=self.outputs["DeadLetterQueueUrl"],
            MaxNumberOfMessages=LETTERS,
            VisibilityTimeout=0,
        )
        return [each["Body"] for each in found.get("Messages", ())]

    def review(self) -> str | None:
        """Run the hourly review of open findings; return the error if it failed."""
        event = json.loads((ROOT / "events" / "scheduled-review.json").read_text())
        answer = self.account.client("lambda").invoke(
            FunctionName=self.resources["ReviewFindingsFunction"], Payload=json.dumps(event)
        )
        return answer["Payload"].read().decode() if answer.get("FunctionError") else None

    def observed(self, over: Collection[str], began: float) -> Observed:
        """What the stack did since a trial began."""
        self.receive()
        return Observed(
            delivered=[_delivered(at - began, alert) for at, alert in self.received],
            over=over,
            scheduled=self.schedules(),
            dead_letters=self.dead_letters(),
        )

    def decisions(self, cluster_id: str) -> list[str]:
        """The decisions that the guard recorded about a cluster, oldest first."""
        found = self.account.client("dynamodb").query(
            TableName=self.outputs["FindingsTableName"],
            KeyConditionExpression="pk = :pk AND begins_with(sk, :history)",
            ExpressionAttributeValues={":pk": {"S": cluster_id}, ":history": {"S": "history#"}},
        )
        return [_decision(json.loads(item["decision"]["S"])) for item in found["Items"]]

    def forget(self) -> None:
        """Reset the stack for the next trial: no open findings, messages or received alerts."""
        table, dynamodb = self.outputs["FindingsTableName"], self.account.client("dynamodb")
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                if item["pk"]["S"].startswith(("j-", "key#")):
                    place = {name: item[name] for name in ("pk", "sk")}
                    dynamodb.delete_item(TableName=table, Key=place)
        sqs = self.account.client("sqs")
        for url in (self.outputs["DeadLetterQueueUrl"], *map(self.resources.get, self._queues())):
            sqs.purge_queue(QueueUrl=url)
        self.receive()
        self.received.clear()

    def _queues(self) -> Sequence[str]:
        return [each for each in QUEUES if each in self.resources]


def _resources(account: Sandbox, stack: str) -> dict[str, str]:
    """The resources of a stack, by their logical ids."""
    pages = (
        account.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=stack)
    )
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
    }


def _delivered(at: float, alert: AlertMessage) -> Delivered:
    return Delivered(
        kind=alert["kind"],
        cluster_id=alert.get("cluster_id") or "",
        rules=tuple(sorted(finding["rule_id"] for finding in alert.get("findings", ()))),
        next_step=alert.get("next_step", ""),
        id=alert.get("id"),
        at=at,
        text=alert.get("text", ""),
    )


def _decision(record: Mapping[str, Any]) -> str:
    """A recorded decision as one line."""
    what = "; ".join(record["decided"])
    by = f"{record['by']} ({record['invocation'][:8]})"
    state, version = record["cluster_state"], record["policy_version"]
    return f"{record['at']}  {by}, {state}, {record['mode']}, policy {version}: {what}"
