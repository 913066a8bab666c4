"""What has to be alerted and terminated, derived from the account itself: pure.

None of the guard's own code is used, so that its mistakes are not repeated here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

EXEMPT = "exempt-"
"""How the names of the clusters begin that the policy exempts from every rule."""
ENFORCED = frozenset({"EMRLOG-002", "EMRLOG-006", "EMRLOG-101"})
"""The rules that a cluster is terminated for in the stacks that enforce."""

type Notice = tuple[str, str]
"""An alert's kind, and one rule that it is about."""


class Plan(StrEnum):
    """How a stack was deployed."""

    ALERT = "alert"
    ENFORCE = "enforce"
    """Without any grace."""
    GRACE = "grace"
    """Enforce, with a grace of one minute."""


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """A cluster as the account's own APIs describe it."""

    id: str
    name: str
    log_uri: str | None
    log_key: str | None
    protected: bool
    state: str
    object_encryption: tuple[str, ...] = ()
    """How S3 encrypts each of its log objects: `AES256` or `aws:kms`."""

    @property
    def over(self) -> bool:
        """Whether it is being terminated, or was."""
        return self.state.startswith("TERMINAT")

    def broken(self, approved_key: str) -> frozenset[str]:
        """Name the rules that it breaks."""
        rules = set()
        if self.log_uri is None:
            rules.add("EMRLOG-001")
        elif self.log_key is None:
            rules.add("EMRLOG-002")
        elif self.log_key != approved_key:
            rules.add("EMRLOG-006")
        if "AES256" in self.object_encryption:
            rules.add("EMRLOG-101")
        return frozenset() if self.name.startswith(EXEMPT) else frozenset(rules)

    def due(self, approved_key: str) -> frozenset[str]:
        """Name the rules that a stack which enforces terminates it for, unless it is protected."""
        return self.broken(approved_key) & ENFORCED


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is right for one cluster under one stack."""

    required: frozenset[Notice] = frozenset()
    """What has to be alerted, each once."""
    allowed: frozenset[Notice] = frozenset()
    """What may be alerted beside it, once."""
    overtaken: frozenset[Notice] = frozenset()
    """What is required only where people could be notified before the grace was over."""
    terminated: bool | None = False
    """Whether the guard has to terminate it; None where its owner does."""
    cluster: str = field(default="", compare=False)
    """The cluster's name, for people."""


def notices(kind: str, rules: Iterable[str]) -> frozenset[Notice]:
    """Give an alert's kind with each of its rules."""
    return frozenset((kind, rule) for rule in rules)


def expected(cluster: SeenCluster, plan: Plan, approved_key: str) -> Expectation:
    """Say what is right once every fault is over, whatever happened before."""
    due = cluster.due(approved_key) if plan is not Plan.ALERT else frozenset()
    ending = "enforcement.skipped" if cluster.protected else "enforcement.done"
    return Expectation(
        required=notices("finding.opened", cluster.broken(approved_key)) | notices(ending, due),
        overtaken=notices("enforcement.scheduled", due if plan is Plan.GRACE else ()),
        terminated=bool(due) and not cluster.protected,
        cluster=cluster.name,
    )


def expected_later(cluster: SeenCluster, plan: Plan, approved_key: str) -> Expectation:
    """Say what is right where a policy comes into force after people were notified.

    That a termination follows now may be alerted, without a grace, too.
    """
    usual = expected(cluster, plan, approved_key)
    due = cluster.due(approved_key) if plan is Plan.ENFORCE else frozenset()
    return replace(usual, allowed=notices("enforcement.scheduled", due))


def expected_refused(cluster: SeenCluster, plan: Plan, approved_key: str) -> Expectation:
    """Say what is right where EMR refused every termination, and the owner terminated later.

    What is wrong with log objects outlives their cluster: no termination resolves it.
    """
    usual = expected(cluster, plan, approved_key)
    if not usual.terminated:
        return usual
    due = cluster.due(approved_key)
    failed = notices("enforcement.failed", due)
    resolved = notices("finding.resolved", due - {"EMRLOG-101"})
    required = usual.required - notices("enforcement.done", due) | failed | resolved
    return replace(usual, required=required, terminated=None)


def expected_switched(cluster: SeenCluster, plan: Plan, approved_key: str) -> Expectation:
    """Say what is right where the policy was alert, then enforce, then alert again.

    The stack with a grace has one that outlasts the change: what was scheduled is cancelled.
    """
    usual = expected_later(cluster, plan, approved_key)
    due = cluster.due(approved_key) if plan is not Plan.ALERT else frozenset()
    if not due or (plan is Plan.ENFORCE and cluster.name != LAUNCHED_LAST):
        return usual
    opened = notices("finding.opened", cluster.broken(approved_key))
    if cluster.name == LAUNCHED_LAST:
        return Expectation(required=opened, cluster=cluster.name)
    return Expectation(
        required=opened
        | notices("enforcement.scheduled", due)
        | notices("enforcement.skipped", due),
        cluster=cluster.name,
    )


LAUNCHED_LAST = "after-the-switch-back"
"""The name of the cluster that is launched when the policy is in mode alert again."""
