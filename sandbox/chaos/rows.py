"""The rows of the table: the fault, its duration, and the outcome that is expected all the same.

Outages are given in seconds of the trial. Lambda's retries and the queues' visibility timeouts are
scaled down, so an outage of 30 s outlasts the last retry, as one of several minutes does on AWS.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.chaos.stack import VISIBILITY_SECONDS, ChaosStack
from sandbox.chaos.trial import Expect, Trial
from sandbox.chaos.truth import (
    LAUNCHED_LAST,
    expected,
    expected_later,
    expected_refused,
    expected_switched,
)
from sandbox.faults import Crash, Fault
from sandbox.faults.fault import DELIVERY

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")
EDITS = 50
EDIT_SECONDS = 0.5
COPIES = 20
REQUEST_COPIES = 5
STALE_SECONDS = 2.5
"""Short enough that after a policy change, a warm environment still has the previous policy."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    """The row's name, as in `make chaos ROWS=sns-down`."""
    fault: str
    """A description of the fault."""
    play: Callable[[Trial], None]
    expect: Expect = expected
    policy_alerts: bool = False
    """Whether the policy is invalid for a time, so that alerts about it are expected."""


def during(seconds: float, *faults: Fault) -> Callable[[Trial], None]:
    """Launch the clusters while these faults are active, for so many seconds."""

    def play(trial: Trial) -> None:
        with trial.fault(*faults, seconds=seconds):
            trial.launch()

    return play


def policy_deleted(trial: Trial) -> None:
    """Delete the policy before the launches, and write it again after 25 s."""
    for stack in trial.stacks:
        stack.delete_policy()
    trial.launch()
    trial.watch(25)
    trial.set_policies()


def policy_edited(trial: Trial) -> None:
    """Edit the policy fifty times; every other version is invalid, the last one is valid."""

    def edit(stack: ChaosStack) -> None:
        for number in range(1, EDITS + 1):
            valid = stack.policy(alerts={"remind_every_hours": 24 + number})
            stack.set_policy(f'{{"mode": {number}}}' if number % 2 else valid)
            time.sleep(EDIT_SECONDS)

    editors = [threading.Thread(target=edit, args=(stack,)) for stack in trial.stacks]
    for editor in editors:
        editor.start()
    trial.launch()
    for editor in editors:
        while editor.is_alive():
            trial.watch(1)


def terminations_fail(trial: Trial) -> None:
    """Let every TerminateJobFlows fail with 500 until its last retry; then owners terminate."""
    for stack in trial.stacks:
        stack.set_visibility("EnforcementQueue", 10)
    fault = Fault("elasticmapreduce", "TerminateJobFlows", status=500, code="InternalFailure")
    with trial.fault(fault, seconds=60):
        trial.launch()
        trial.settle()
        for stack in trial.stacks:
            key = stack.population.approved_key
            seen = stack.population.seen(trial.clusters[stack.plan])
            due = [each.id for each in seen if expected(each, stack.plan, key).terminated]
            stack.population.terminate(due)
        trial.settle()
    for stack in trial.stacks:
        stack.set_visibility("EnforcementQueue", VISIBILITY_SECONDS * trial.lab.scale)


def policy_switched(trial: Trial) -> None:
    """Switch from alert to enforce and back while environments are warm, with events in between."""
    trial.set_policies(mode="alert", long_grace=True)
    trial.settle()
    trial.launch()
    trial.settle()
    trial.set_policies(mode="enforce", long_grace=True)
    _ordinary_events(trial, "after-the-switch")
    trial.settle(schedules=False)
    trial.set_policies(mode="alert", long_grace=True)
    _ordinary_events(trial, LAUNCHED_LAST)


def _ordinary_events(trial: Trial, name: str) -> None:
    """Have every cluster send events, and launch a new one without a key."""
    trial.watch(STALE_SECONDS)
    for stack in trial.stacks:
        stack.population.add_steps(trial.clusters[stack.plan])
        cluster_id = stack.population.launch_one(name, LogEncryptionKmsKeyId=None)
        trial.clusters[stack.plan].append(cluster_id)
    trial.watch(STALE_SECONDS)


ROWS = (
    Row("none", "none", lambda trial: trial.launch()),
    Row("sns-down", "SNS down 20 s", during(20, Fault("sns", "Publish", status=503))),
    Row(
        "writes-refused",
        "DynamoDB refuses 30 % of writes, 30 s",
        during(
            30,
            *(
                Fault("dynamodb", write, share=0.3, status=400, code="AccessDeniedException")
                for write in WRITES
            ),
        ),
    ),
    Row("scheduler-down", "Scheduler down 30 s", during(30, Fault("scheduler", status=503))),
    Row(
        "workers-killed",
        "workers killed at writes, publishes and terminations, 30 s",
        during(
            30,
            *(Fault("dynamodb", write, share=0.05, crash=Crash.BEFORE) for write in WRITES),
            *(Fault("dynamodb", write, share=0.1, crash=Crash.AFTER) for write in WRITES),
            Fault("sns", "Publish", share=0.15, crash=Crash.BEFORE),
            Fault("sns", "Publish", share=0.3, crash=Crash.AFTER),
            Fault("elasticmapreduce", "TerminateJobFlows", share=0.2, crash=Crash.BEFORE),
            Fault("elasticmapreduce", "TerminateJobFlows", share=0.4, crash=Crash.AFTER),
        ),
    ),
    Row(
        "events-repeated",
        f"events {COPIES} times, shuffled over 20 s; requests {REQUEST_COPIES} times",
        during(
            20,
            Fault(DELIVERY, times=COPIES, within=20),
            Fault("sqs", "SendMessage", times=REQUEST_COPIES),
        ),
    ),
    Row(
        "ssm-down",
        "SSM down 30 s",
        during(30, Fault("ssm", status=400, code="ThrottlingException")),
        expected_later,
        policy_alerts=True,
    ),
    Row(
        "policy-deleted",
        "policy deleted for 25 s",
        policy_deleted,
        expected_later,
        policy_alerts=True,
    ),
    Row(
        "policy-edited",
        f"policy edited {EDITS} times, half of it invalid",
        policy_edited,
        expected_later,
        policy_alerts=True,
    ),
    Row(
        "terminations-fail",
        "EMR answers 500 to every TerminateJobFlows; later the owner terminates",
        terminations_fail,
        expected_refused,
    ),
    Row(
        "throttled",
        "EMR, KMS and S3 throttle half of the calls, 30 s",
        during(
            30,
            Fault("elasticmapreduce", share=0.5, status=400, code="ThrottlingException"),
            Fault("kms", share=0.5, status=400, code="ThrottlingException"),
            Fault("s3", share=0.5, status=503, code="SlowDown"),
        ),
    ),
    Row("sns-slow", "SNS answers after 6 s, for 30 s", during(30, Fault("sns", delay=6))),
    Row(
        "policy-switched",
        "policy alert -> enforce -> alert while warm",
        policy_switched,
        expected_switched,
    ),
)
"""In the order of the table."""
