"""The expected alerts and terminations, derived from the account itself. Pure.

It uses none of the guard's code, so the guard's errors are not repeated here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

EXEMPT = "exempt-"
"""The name prefix of clusters that the policy exempts from every rule."""
ENFORCED = frozenset({"EMRLOG-002", "EMRLOG-006", "EMRLOG-101"})
"""The rules for which the enforcing stacks terminate clusters."""

type PublishedAlert = tuple[str, str]
"""An alert's kind, and one of its rules."""


class Plan(StrEnum):
    """How a stack is deployed."""

    ALERT = "alert"
    ENFORCE = "enforce"
    """Enforce mode without a grace period."""
    GRACE = "grace"
    """Enforce mode with a grace period of one minute."""


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """A cluster as the account's APIs describe it."""

    id: str
    name: str
    log_uri: str | None
    log_key: str | None
    protected: bool
    state: str
    object_encryption: tuple[str, ...] = ()
    """The encryption of each of its log objects: `AES256` or `aws:kms`."""

    @property
    def over(self) -> bool:
        """Whether it is terminating or terminated."""
        return self.state.startswith("TERMINAT")

    def broken(self, approved_key: str) -> frozenset[str]:
        """The rules that it violates."""
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
        """The rules for which an enforcing stack terminates it, unless it is protected."""
        return self.broken(approved_key) & ENFORCED


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expected outcome for one cluster under one stack."""

    required: frozenset[PublishedAlert] = frozenset()
    """The alerts that must be sent, each exactly once."""
    allowed: frozenset[PublishedAlert] = frozenset()
    """Further alerts that may be sent once."""
    overtaken: frozenset[PublishedAlert] = frozenset()
    """Alerts required only if security could be notified before the grace period was over."""
    terminated: bool | None = False
    """Whether the guard must terminate it; None if its owner does."""
    cluster: str = field(default="", compare=False)
    """The cluster's name, for messages."""


def notices(kind: str, rules: Iterable[str]) -> frozenset[PublishedAlert]:
    """An alert's kind, paired with each of its rules."""
    return frozenset((kind, rule) for rule in rules)


def expected(cluster: SeenCluster, plan: Plan, approved_key: str) -> Expectation:
    """The expected outcome once every fault is over."""
    due = cluster.due(approved_key) if plan is not Plan.ALERT else frozenset()
    ending = "enforcement.skipped" if cluster.protected else "enforcement.done"
    return Expectation(
        required=notices("finding.opened", cluster.broken(approved_key)) | notices(ending, due),
        overtaken=notices("enforcement.scheduled", due if plan is Plan.GRACE else ()),
        terminated=bool(due) and not cluster.protected,
        cluster=cluster.name,
    )


def expected_later(cluster: SeenCluster, plan: Plan, approved_key: str) -> Expectation:
    """The expected outcome if a policy takes effect only after security was notified.

    The upcoming termination may then be announced even without a grace period.
    """
    usual = expected(cluster, plan, approved_key)
    due = cluster.due(approved_key) if plan is Plan.ENFORCE else frozenset()
    return replace(usual, allowed=notices("enforcement.scheduled", due))


def expected_refused(cluster: SeenCluster, plan: Plan, approved_key: str) -> Expectation:
    """The expected outcome if EMR refused every termination and the owner terminated later.

    Findings about log objects outlive their cluster: no termination resolves them.
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
    """The expected outcome if the policy was alert, then enforce, then alert again.

    If a stack has a grace period, it outlasts the change: scheduled terminations are cancelled.
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
"""The name of the cluster that is launched after the policy is back in alert mode."""
