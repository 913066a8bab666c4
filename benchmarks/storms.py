"""Many launches at once under EMR's default quotas: when alerts arrive, and what they cost."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.contestants import WrongResultError
from benchmarks.page import Section
from benchmarks.stack import Stack, deployed_with_defaults
from sandbox import EmrPace
from sandbox.alert_inbox import AlertInbox, AlertMessage
from sandbox.calls import EmrCalls
from sandbox.fixtures import Fixtures
from sandbox.quotas import DEFAULT_QUOTAS

LAUNCH = 20
"""Seconds from a cluster's launch until it is RUNNING."""
QUIET = 30
"""After so many seconds without a call to EMR, everything is checked."""
POLL = 0.2
STEPS_A_CALL = 10
"""ListSteps takes so many step ids."""
NON_COMPLIANT, INSUFFICIENT_DATA = "NON_COMPLIANT", "INSUFFICIENT_DATA"
COUNTED = ("DescribeCluster", "ListSteps")
STEP = {"Name": "step", "HadoopJarStep": {"Jar": "command-runner.jar"}}
HEAD = [
    "case", "violations alerted", "time to alert, median", "last", "target",
    "the quota's minimum",
    *(f"{action} per cluster" for action in COUNTED), "other calls", "refused",
    "INSUFFICIENT_DATA alerts", "repeated alerts",
]  # fmt: skip


@dataclass(slots=True)
class Watch:
    """The clusters of a storm, and the alerts about them."""

    began: dict[str, float] = field(default_factory=dict)
    """When each cluster came to violate a rule, by its id, in seconds."""
    good: set[str] = field(default_factory=set)
    delays: dict[str, float] = field(default_factory=dict)
    """Seconds until the first alert about each violation, by cluster."""
    undetermined: int = 0
    """Alerts that a fact about a compliant cluster could not be determined."""
    sent: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def see(self, alerts: Sequence[AlertMessage], now: float) -> None:
        """Note alerts that have just arrived.

        Raises:
            WrongResultError: An alert calls a compliant cluster non-compliant.
        """
        for alert in alerts:
            findings = alert.get("findings", ())
            for finding in findings:
                self.sent[alert["kind"], finding["id"], finding["compliance"]] += 1
            found = {(finding["cluster_id"], finding["compliance"]) for finding in findings}
            for cluster_id, compliance in found:
                if compliance == NON_COMPLIANT and cluster_id in self.good:
                    raise WrongResultError(json.dumps(alert))
                if compliance == NON_COMPLIANT and cluster_id in self.began:
                    self.delays.setdefault(cluster_id, now - self.began[cluster_id])
                if compliance == INSUFFICIENT_DATA and cluster_id in self.good:
                    self.undetermined += 1

    @property
    def complete(self) -> bool:
        """Whether every violation is alerted."""
        return self.delays.keys() == self.began.keys()

    @property
    def repeated(self) -> int:
        """The number of alerts that say what an earlier one said."""
        return self.sent.total() - len(self.sent)

    def row(self, case: str, target: str, minimum: float, calls: EmrCalls) -> list[str]:
        """The cells of a table row."""
        delays = sorted(self.delays.values())
        clusters = len(self.good | self.began.keys())
        refused = calls.refused.total()
        others = calls.answered.total() - sum(calls.answered[each] for each in COUNTED)
        return [
            case,
            f"{len(delays):,} of {len(self.began):,}",
            f"{median(delays):.1f} s" if delays else "",
            f"{delays[-1]:.1f} s" if self.complete else "never",
            target,
            f"{minimum:.0f} s",
            *(f"{calls.answered[action] / clusters:.2f}" for action in COUNTED),
            f"{others:,}",
            f"{refused:,} ({refused / max(1, refused + calls.answered.total()):.0%})",
            f"{self.undetermined:,}",
            f"{self.repeated:,}",
        ]


@dataclass(frozen=True, slots=True)
class Ground:
    """A stack with the default parameters, and what clusters need."""

    stack: Stack
    fixtures: Fixtures
    inbox: AlertInbox
    settings: Mapping[str, Any]
    """RunJobFlow parameters of a compliant cluster."""

    def launch(self, name: str, *, compliant: bool, steps: int, alive: bool = False) -> str:
        """Launch a cluster; one that is not compliant has no log key."""
        instances = {"KeepJobFlowAliveWhenNoSteps": alive, "InstanceCount": 3}
        settings = {**self.settings, "Instances": instances, "Steps": [STEP] * steps}
        key = {} if compliant else {"LogEncryptionKmsKeyId": None}
        return self.fixtures.launch(name, **settings | key)

    def watch_until(self, watch: Watch, over: Callable[[], bool], patience: float) -> None:
        """Receive alerts until a condition holds, but not for more than so many seconds."""
        deadline = time.monotonic() + patience
        while not over() and time.monotonic() < deadline:
            watch.see(self.inbox.receive(), time.monotonic())
            time.sleep(POLL)

    def over(self, watch: Watch, since: float) -> Callable[[], bool]:
        """Return a condition: all is alerted, and from then on EMR was not called for a while."""
        last, at = self.stack.emr_calls(), time.monotonic()

        def over() -> bool:
            nonlocal last, at
            calls, now = self.stack.emr_calls(), time.monotonic()
            if calls != last:
                last, at = calls, now
            return watch.complete and now > max(since, at + QUIET)

        return over


@dataclass(frozen=True, slots=True)
class Storm:
    """Clusters launched at once, every second one without a log key."""

    clusters: int
    steps: int
    """The number of steps of each."""
    lifetime: float
    """Seconds until a cluster terminates, because its steps are completed."""
    patience: float
    """Seconds after which the storm is over, even if alerts are missing."""
    target: str
    """What the times to alert should not exceed."""

    def __str__(self) -> str:
        """Describe the storm."""
        return f"{self.clusters} clusters, {self.steps} steps each"

    def run(self) -> list[str]:
        """Run the storm in an account of its own."""
        with ExitStack() as running:
            return self._run(self._ground(running), str(self), [])

    def run_in_rescan(self) -> list[str]:
        """Run the storm while a deep re-scan reads as many other clusters."""
        with ExitStack() as running:
            ground = self._ground(running)
            ground.stack.disable_rules()
            others = [
                ground.launch(f"other-{place:03}", compliant=True, steps=0, alive=True)
                for place in range(self.clusters)
            ]
            time.sleep(LAUNCH)
            ground.stack.enable_rules()
            ground.stack.account.client("stepfunctions").start_execution(
                stateMachineArn=ground.stack.account.outputs()["RescanStateMachineArn"],
                input=json.dumps({"scope": "clusters", "deep": True}),
            )
            time.sleep(5)
            case = f"{self}, during a deep re-scan of {self.clusters} others"
            return self._run(ground, case, others)

    def _ground(self, running: ExitStack) -> Ground:
        return _ground(running, EmrPace(LAUNCH, self.lifetime - LAUNCH, 1))

    def _run(self, ground: Ground, case: str, others: Sequence[str]) -> list[str]:
        watch, before, begun = Watch(good=set(others)), ground.stack.emr_calls(), time.monotonic()

        def launch(place: int) -> None:
            compliant, now = place % 2 == 0, time.monotonic()
            cluster_id = ground.launch(f"storm-{place:03}", compliant=compliant, steps=self.steps)
            if compliant:
                watch.good.add(cluster_id)
            else:
                watch.began[cluster_id] = now

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(launch, range(self.clusters)))
        over = ground.over(watch, time.monotonic() + self.lifetime)
        ground.watch_until(watch, over, begun + self.patience - time.monotonic())
        minimum = DEFAULT_QUOTAS["DescribeCluster"].seconds(self.clusters)
        return watch.row(case, self.target, minimum, ground.stack.emr_calls() - before)


def steps_one_by_one(steps: int, a_second: float, patience: float) -> list[str]:
    """Add steps to one cluster, one per call; the one in the middle has an AWS-managed key."""
    with ExitStack() as running:
        ground = _ground(running, EmrPace(1, 5, 1))
        watch, before = Watch(), ground.stack.emr_calls()
        cluster_id = ground.launch("stepped", compliant=True, steps=0, alive=True)
        ground.fixtures.make_log_bucket("elsewhere")
        override = {
            "LogUri": "s3://elsewhere/",
            "EncryptionKeyArn": "alias/aws/s3",
        }
        emr, begun = ground.stack.account.client("emr"), time.monotonic()
        for place in range(steps):
            step: dict[str, Any] = dict(STEP)
            if place == steps // 2:
                step["StepMonitoringConfiguration"] = {"S3MonitoringConfiguration": override}
                watch.began[cluster_id] = time.monotonic()
            emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])
            ground.watch_until(watch, _from(begun + place / a_second), 60)
        ground.watch_until(watch, ground.over(watch, time.monotonic()), patience)
        minimum = DEFAULT_QUOTAS["ListSteps"].seconds(steps / STEPS_A_CALL)
        calls = ground.stack.emr_calls() - before
        case = f"1 cluster, {steps:,} steps added one by one"
        return watch.row(case, f"{steps // STEPS_A_CALL:,} ListSteps", minimum, calls)


def alone(rounds: int) -> list[str]:
    """Launch one cluster after the other, each in a quiet account."""
    with ExitStack() as running:
        ground = _ground(running, EmrPace(LAUNCH, 3600, 1))
        watch, before = Watch(), ground.stack.emr_calls()
        for place in range(rounds):
            now = time.monotonic()
            watch.began[ground.launch(f"alone-{place}", compliant=False, steps=0)] = now
            ground.watch_until(watch, ground.over(watch, now + LAUNCH), 120)
        calls = ground.stack.emr_calls() - before
        return watch.row(f"1 cluster in a quiet account, {rounds} times", "median 5 s", 0, calls)


def _ground(running: ExitStack, pace: EmrPace) -> Ground:
    stack = running.enter_context(deployed_with_defaults(pace, DEFAULT_QUOTAS))
    fixtures = Fixtures(stack.account)
    fixtures.make_log_bucket()
    roles = fixtures.make_roles()
    key = fixtures.make_key("emr-logs")
    inbox = AlertInbox(stack.account, stack.account.outputs()["AlertsTopicArn"])
    return Ground(stack, fixtures, inbox, {"LogEncryptionKmsKeyId": key, **roles})


def _from(due: float) -> Callable[[], bool]:
    """Return a condition: it is that moment of the monotonic clock, or later."""
    return lambda: time.monotonic() > due


type Run = Callable[[int], list[str]]
"""Runs a storm, some so many rounds, and gives its row of the table."""

STORMS: Mapping[str, Run] = {
    "storm-60": lambda _: Storm(60, 3, 120, 480, "median 40 s, last 75 s").run(),
    "storm-200": lambda _: Storm(200, 5, 300, 900, "last 219 s").run(),
    "storm-steps": lambda _: steps_one_by_one(1000, 5, patience=900),
    "storm-rescan": lambda _: Storm(200, 5, 300, 900, "last 1.3 times as late").run_in_rescan(),
    "storm-quiet": alone,
}
"""The storms by the name of their benchmark, each with the number of rounds; all have one table."""


def section(rows: Sequence[Sequence[str]]) -> Section:
    """The table of some storms."""
    listing = DEFAULT_QUOTAS["ListSteps"].seconds
    return Section(
        "A storm of launches",
        "Clusters launched as fast as the emulated account allows, under EMR's default quotas and "
        f"with the stack's default parameters. They are RUNNING after {LAUNCH} s, run their steps "
        "and terminate; every second one has no log key. The time to alert runs from the launch "
        "until a subscriber of the alerts topic receives the first alert. The quota's minimum is "
        "the time that a DescribeCluster of every cluster takes, or for steps one ListSteps for "
        f"{STEPS_A_CALL} of them. ListSteps has half of DescribeCluster's rate: one call per "
        f"cluster takes {listing(60):.0f} s for 60 clusters, {listing(200):.0f} s for 200. "
        "Calls are counted by the account, over the clusters' whole "
        "life: those that EMR answered, and those that it refused with a ThrottlingException. "
        "INSUFFICIENT_DATA alerts are about compliant clusters, whose facts could not be read. "
        "RunJobFlow and AddJobFlowSteps are not throttled here.",
        HEAD,
        rows,
    )
