"""Compares alerts and terminations with the expected ones. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.chaos.truth import Expectation, PublishedAlert

POLICY_INVALID = "policy.invalid"
OPENED = "finding.opened"
SCHEDULED = "enforcement.scheduled"
TEXT = 200
"""The number of characters of an alert's text that identify it."""
GRACE_SECONDS = 60
"""The grace period of the stack that has one."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One alert as a subscriber received it."""

    kind: str
    cluster_id: str
    rules: tuple[str, ...]
    next_step: str
    id: str | None = None
    """Identifies repeated deliveries of one alert; None if alerts have no id."""
    at: float = 0.0
    """When it arrived, in seconds since the clusters' launch."""
    text: str = ""

    @property
    def notices(self) -> frozenset[PublishedAlert]:
        """Its kind, paired with each of its rules."""
        return frozenset((self.kind, rule) for rule in self.rules)

    def __str__(self) -> str:
        """The alert as one line."""
        rules = ",".join(self.rules)
        return f"{self.at:6.1f} s  {self.kind} {rules} {self.next_step} {self.id or ''}".rstrip()


@dataclass(frozen=True, slots=True)
class Observed:
    """What a stack did about the clusters of one trial."""

    delivered: Sequence[Delivered]
    over: Collection[str] = ()
    """The ids of the terminated clusters."""
    scheduled: Collection[str] = ()
    """The ids of the clusters with a termination schedule."""
    dead_letters: Sequence[str] = ()
    """A description of each message in the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One difference from what is expected."""

    cluster_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The discrepancies of one trial, by kind."""

    lost: tuple[Discrepancy, ...] = ()
    double: tuple[Discrepancy, ...] = ()
    false: tuple[Discrepancy, ...] = ()
    left_over: tuple[Discrepancy, ...] = ()
    repeated: tuple[Discrepancy, ...] = field(default=(), compare=False)
    """Repeated deliveries with the same id: not errors, because subscribers can recognise them."""

    @property
    def clean(self) -> bool:
        """Whether there are no discrepancies."""
        return not (self.lost or self.double or self.false or self.left_over)


def compare(
    expectations: Mapping[str, Expectation], observed: Observed, *, policy_alerts: bool = False
) -> Comparison:
    """Compare what a stack did with what is expected.

    Args:
        expectations: The expected outcome, by cluster id.
        observed: What the stack did; alerts about other clusters are ignored.
        policy_alerts: Whether the policy was invalid for a time, so that alerts about it are
        expected.
    """
    lost: list[Discrepancy] = []
    double: list[Discrepancy] = []
    false: list[Discrepancy] = []
    repeated: list[Discrepancy] = []
    by_cluster: defaultdict[str, list[Delivered]] = defaultdict(list)
    for each in observed.delivered:
        by_cluster[each.cluster_id].append(each)
    for cluster_id, right in expectations.items():
        about = by_cluster[cluster_id]
        unique, again = distinct(about)
        repeated += [Discrepancy(cluster_id, str(each)) for each in again]
        seen = Counter(notice for each in unique for notice in each.notices)
        missing = (right.required | _in_time(right, about)) - seen.keys()
        lost += [
            Discrepancy(cluster_id, f"{kind} {rule} of {right.cluster}")
            for kind, rule in sorted(missing)
        ]
        double += [Discrepancy(cluster_id, str(each)) for each in surplus(unique)]
        right_notices = right.required | right.overtaken | right.allowed
        false += [
            Discrepancy(cluster_id, f"{each} of {right.cluster}")
            for each in unique
            if not each.notices & right_notices or each.notices - right_notices
        ]
        if cluster_id in observed.over and right.terminated is False:
            false.append(Discrepancy(cluster_id, f"TERMINATED, but should not be: {right.cluster}"))
    bad, twice = _about_policy(by_cluster[""], policy_alerts=policy_alerts)
    return Comparison(
        lost=tuple(lost),
        double=(*double, *twice),
        false=(*false, *bad),
        left_over=tuple(_left_over(expectations, observed, by_cluster)),
        repeated=tuple(repeated),
    )


def distinct(delivered: Iterable[Delivered]) -> tuple[list[Delivered], list[Delivered]]:
    """Separate first deliveries from repeated ones with the same id."""
    unique: list[Delivered] = []
    again: list[Delivered] = []
    ids: set[str | None] = set()
    for each in delivered:
        (again if each.id is not None and each.id in ids else unique).append(each)
        ids.add(each.id)
    return unique, again


def surplus(delivered: Iterable[Delivered]) -> list[Delivered]:
    """Return the alerts that add nothing to earlier ones about the same rules."""
    found = []
    known: set[PublishedAlert] = set()
    for each in delivered:
        if each.notices and each.notices <= known:
            found.append(each)
        known |= each.notices
    return found


def _in_time(right: Expectation, delivered: Iterable[Delivered]) -> frozenset[PublishedAlert]:
    """Return what is also required because security was notified within the grace period.

    The last delivery of a notification counts: if it was delivered again, the first delivery was
    not recorded, because the function that sent it was killed.
    """
    opened = [each for each in delivered if each.kind == OPENED]
    late = {each.id for each in opened if each.id is not None and each.at >= GRACE_SECONDS}
    early = {
        rule
        for each in opened
        if each.at < GRACE_SECONDS and each.id not in late
        for rule in each.rules
    }
    return frozenset((kind, rule) for kind, rule in right.overtaken if rule in early)


def _about_policy(
    delivered: Sequence[Delivered], *, policy_alerts: bool
) -> tuple[list[Discrepancy], list[Discrepancy]]:
    """Return unexpected alerts about the policy, and alerts that repeat an earlier text."""
    unique, _ = distinct(each for each in delivered if each.kind == POLICY_INVALID)
    if not policy_alerts:
        return [Discrepancy("", str(each)) for each in unique], []
    texts = Counter(" ".join(each.text.split())[:TEXT] for each in unique)
    return [], [
        Discrepancy("", f"{POLICY_INVALID} {count} times: {text}")
        for text, count in texts.items()
        for _ in range(count - 1)
    ]


def _left_over(
    expectations: Mapping[str, Expectation],
    observed: Observed,
    by_cluster: Mapping[str, Sequence[Delivered]],
) -> Iterable[Discrepancy]:
    for letter in observed.dead_letters:
        yield Discrepancy("", f"dead letter: {letter}")
    for cluster_id, right in expectations.items():
        if right.terminated and cluster_id not in observed.over:
            yield Discrepancy(cluster_id, f"still running: {right.cluster}")
        alerted = any(each.kind == SCHEDULED for each in by_cluster.get(cluster_id, ()))
        if cluster_id in observed.scheduled and not alerted:
            yield Discrepancy(cluster_id, f"scheduled without a notification: {right.cluster}")
