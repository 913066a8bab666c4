"""A trial: clusters launched under three stacks while a fault is active, and the outcome."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox import EmrPace
from sandbox.chaos.comparison import Comparison, compare
from sandbox.chaos.stack import ChaosStack
from sandbox.chaos.truth import Expectation, Plan, SeenCluster
from sandbox.faults import Fault
from sandbox.faults.injecting import Faults
from sandbox.fixtures import Fixtures
from sandbox.running import Sandbox

RETRY_SECONDS = 60
"""The delay of Lambda's first retry of an asynchronous invocation; the second takes twice that."""
PACE = EmrPace(launch=6, step=1, termination=2)
"""Clusters that send events of each state while the fault is active."""
MEET_SECONDS = 60
"""How long functions may take to make the first call that the fault affects."""
SETTLE_SECONDS = 240
"""How long a trial waits for the stacks to finish; what remains then counts as left over."""
QUIET_SECONDS = 4
REPLAYS = 6
POLL_SECONDS = 0.5
CLAIM_SECONDS = 40
"""The delay between two replays if the first one left messages."""

type Expect = Callable[[SeenCluster, Plan, str], Expectation]
type Say = Callable[[str], None]


@dataclass(slots=True)
class Lab:
    """An account with three stacks, for several trials in sequence."""

    account: Sandbox
    stacks: Sequence[ChaosStack]
    faults: Faults
    scale: float

    @classmethod
    @contextmanager
    def opened(cls, scale: float) -> "Iterator[Lab]":
        """Start an account and deploy the stacks to it."""
        with Sandbox.start(emr=PACE, faults=True, retry_seconds=RETRY_SECONDS * scale) as account:
            Fixtures(account).make_roles()
            with ThreadPoolExecutor(len(Plan)) as pool:
                stacks = list(pool.map(lambda plan: ChaosStack.deploy(account, plan, scale), Plan))
            lab = cls(account, stacks, Faults(account.endpoint), scale)
            lab.warm_up()
            yield lab

    def warm_up(self) -> None:
        """Start the functions' environments, because cold starts would outlast the faults."""
        warming = Trial(self, lambda _: None)
        warming.prepare()
        warming.launch()
        warming.settle(schedules=False, retries=False)
        warming.clean_up()


@dataclass(slots=True)
class Trial:
    """One trial in a lab."""

    lab: Lab
    say: Say
    began: float = field(default_factory=time.monotonic)
    clusters: dict[Plan, list[str]] = field(default_factory=dict)

    @property
    def stacks(self) -> Sequence[ChaosStack]:
        """The stacks."""
        return self.lab.stacks

    def prepare(self) -> None:
        """Reset the stacks, with the default policy."""
        self.lab.faults.inject()
        self.set_policies()
        self.settle(retries=False)
        for stack in self.stacks:
            stack.forget()
        self.began = time.monotonic()

    def set_policies(self, *, long_grace: bool = False, **changes: object) -> None:
        """Write the policy of every stack: the default one or a modified one."""
        for stack in self.stacks:
            stack.set_policy(stack.policy(long_grace=long_grace, **changes))

    def launch(self) -> None:
        """Launch the clusters of every stack and write their log objects."""
        self.began = time.monotonic()
        with ThreadPoolExecutor(len(self.stacks)) as pool:
            launched = list(pool.map(lambda stack: stack.population.launch(), self.stacks))
        for stack, ids in zip(self.stacks, launched, strict=True):
            self.clusters[stack.plan] = ids

    @contextmanager
    def fault(self, *faults: Fault, seconds: float) -> Iterator[None]:
        """Activate faults, for so many seconds after the first call that they affect."""
        before = self.lab.faults.met()
        with self.lab.faults.injected(*faults):
            yield
            deadline = time.monotonic() + MEET_SECONDS
            while self.lab.faults.met() == before and time.monotonic() < deadline:
                self.watch(POLL_SECONDS)
            self.watch(seconds)
        self.say(f"healed after {time.monotonic() - self.began:.0f} s")

    def watch(self, seconds: float) -> None:
        """Receive alerts as they arrive, for so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for stack in self.stacks:
                stack.receive()
            time.sleep(POLL_SECONDS)

    def settle(self, *, schedules: bool = True, retries: bool = True) -> None:
        """Wait until the functions make no more calls, and nothing is queued or scheduled.

        Args:
            schedules: Whether to wait for schedules, too.
            retries: Whether there must be no calls for longer than Lambda's longest retry delay.
        """
        quiet_seconds = QUIET_SECONDS + (2 * RETRY_SECONDS * self.lab.scale if retries else 0)
        deadline = time.monotonic() + SETTLE_SECONDS
        calls, quiet_since, waiting = -1, time.monotonic(), ""
        while time.monotonic() < deadline:
            self.watch(POLL_SECONDS)
            now = self.lab.faults.calls()
            unfinished = (_unfinished(stack, schedules=schedules) for stack in self.stacks)
            waiting = next(filter(None, unfinished), "")
            if now != calls or waiting:
                calls, quiet_since = now, time.monotonic()
            elif time.monotonic() - quiet_since > quiet_seconds:
                return
        self.say(f"not settled after {SETTLE_SECONDS} s: {waiting or 'functions are running'}")

    def recover(self) -> None:
        """Let the stacks finish, replay dead letters until none is left, and run one review."""
        self.settle()
        for number in range(REPLAYS):
            letters = {stack.plan: len(stack.dead_letters()) for stack in self.stacks}
            if not any(letters.values()):
                break
            if number:
                self.watch(CLAIM_SECONDS)
            for stack in self.stacks:
                if letters[stack.plan]:
                    self.say(f"{stack.plan}: {stack.replay().strip().splitlines()[-1]}")
            self.settle()
        for stack in self.stacks:
            if error := stack.review():
                self.say(f"{stack.plan}: the review failed: {error}")
        self.settle()

    def seen(self) -> dict[Plan, list[SeenCluster]]:
        """Describe the clusters with the account's APIs."""
        return {
            stack.plan: stack.population.seen(self.clusters[stack.plan]) for stack in self.stacks
        }

    def compare(self, expect: Expect, *, policy_alerts: bool) -> dict[Plan, Comparison]:
        """Compare what each stack did with what is expected."""
        seen = self.seen()
        return {
            stack.plan: compare(
                {
                    each.id: expect(each, stack.plan, stack.population.approved_key)
                    for each in seen[stack.plan]
                },
                stack.observed({each.id for each in seen[stack.plan] if each.over}, self.began),
                policy_alerts=policy_alerts,
            )
            for stack in self.stacks
        }

    def clean_up(self) -> None:
        """Terminate the clusters as their owners, so that they do not appear in the next trial."""
        for stack in self.stacks:
            stack.population.terminate(self.clusters.get(stack.plan, ()))


def _unfinished(stack: ChaosStack, *, schedules: bool) -> str:
    if busy := stack.busy():
        return busy
    return f"a schedule of {stack.name}" if schedules and stack.schedules() else ""
