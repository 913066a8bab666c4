"""What was alerted and terminated, held against what was to be: pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.chaos.truth import Expectation, Notice

POLICY_INVALID = "policy.invalid"
OPENED = "finding.opened"
SCHEDULED = "enforcement.scheduled"
TEXT = 200
"""How much of an alert's text tells it from others."""
GRACE_SECONDS = 60
"""The grace of the stack that has one."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One alert as a subscriber received it."""

    kind: str
    cluster_id: str
    rules: tuple[str, ...]
    next_step: str
    id: str | None = None
    """What tells a repeated delivery from another alert; None where alerts carry none."""
    at: float = 0.0
    """When it arrived, in seconds since the clusters were launched."""
    text: str = ""

    @property
    def notices(self) -> frozenset[Notice]:
        """Its kind with each of its rules."""
        return frozenset((self.kind, rule) for rule in self.rules)

    def __str__(self) -> str:
        """Write it in a line."""
        rules = ",".join(self.rules)
        return f"{self.at:6.1f} s  {self.kind} {rules} {self.next_step} {self.id or ''}".rstrip()


@dataclass(frozen=True, slots=True)
class Observed:
    """What a stack did about the clusters of one trial."""

    delivered: Sequence[Delivered]
    over: Collection[str] = ()
    """The clusters that were terminated, by id."""
    scheduled: Collection[str] = ()
    """The clusters with a schedule for their termination, by id."""
    dead_letters: Sequence[str] = ()
    """What each message in the dead-letter queue is."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One thing that is not as it has to be."""

    cluster_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The discrepancies of one trial, by their kind."""

    lost: tuple[Discrepancy, ...] = ()
    double: tuple[Discrepancy, ...] = ()
    false: tuple[Discrepancy, ...] = ()
    left_over: tuple[Discrepancy, ...] = ()
    repeated: tuple[Discrepancy, ...] = field(default=(), compare=False)
    """Alerts delivered again with the same id, which subscribers can tell: not held against it."""

    @property
    def clean(self) -> bool:
        """Whether all is as it has to be."""
        return not (self.lost or self.double or self.false or self.left_over)


def compare(
    expectations: Mapping[str, Expectation], observed: Observed, *, policy_alerts: bool = False
) -> Comparison:
    """Compare what a stack did with what is right.

    Args:
        expectations: What is right, by cluster id.
        observed: What the stack did; alerts about other clusters do not count.
        policy_alerts: Whether the policy was invalid for a while, so that this is alerted.

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
            false.append(Discrepancy(cluster_id, f"TERMINATED, which is wrong: {right.cluster}"))
    bad, twice = _about_policy(by_cluster[""], policy_alerts=policy_alerts)
    return Comparison(
        lost=tuple(lost),
        double=(*double, *twice),
        false=(*false, *bad),
        left_over=tuple(_left_over(expectations, observed, by_cluster)),
        repeated=tuple(repeated),
    )


def distinct(delivered: Iterable[Delivered]) -> tuple[list[Delivered], list[Delivered]]:
    """Tell first deliveries from those whose id was delivered before."""
    unique: list[Delivered] = []
    again: list[Delivered] = []
    ids: set[str | None] = set()
    for each in delivered:
        (again if each.id is not None and each.id in ids else unique).append(each)
        ids.add(each.id)
    return unique, again


def surplus(delivered: Iterable[Delivered]) -> list[Delivered]:
    """Name the alerts that say of each of their rules what was said before."""
    found = []
    known: set[Notice] = set()
    for each in delivered:
        if each.notices and each.notices <= known:
            found.append(each)
        known |= each.notices
    return found


def _in_time(right: Expectation, delivered: Iterable[Delivered]) -> frozenset[Notice]:
    """Name what is required as well, for people were notified of its rule within the grace.

    A notification counts from its last delivery: what is delivered again was on no record before,
    since whoever delivered it died.
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
    """Name what was alerted about the policy: without a cause, and again with the same words."""
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
            yield Discrepancy(cluster_id, f"still alive: {right.cluster}")
        alerted = any(each.kind == SCHEDULED for each in by_cluster.get(cluster_id, ()))
        if cluster_id in observed.scheduled and not alerted:
            yield Discrepancy(cluster_id, f"scheduled, and nobody was notified: {right.cluster}")
