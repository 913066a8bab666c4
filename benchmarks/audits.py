"""`audit` beside Cloud Custodian, and under EMR's quotas."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contestants import (
    CLUSTERS,
    FAIR_RULES,
    Found,
    Ground,
    WrongResultError,
    custodian,
    guard,
    objects_policy,
)
from benchmarks.measuring import Runs
from benchmarks.page import Section
from benchmarks.recorded_account import recorded
from benchmarks.seed import KEYS, seed_clusters, seed_objects
from benchmarks.static_s3 import bucket_server
from sandbox import Sandbox
from sandbox.fixtures import LOG_BUCKET
from sandbox.quotas import DEFAULT_QUOTAS, Quota

UNDER_QUOTAS = 200


@dataclass(frozen=True, slots=True)
class Side:
    """All runs of one contestant, with the same result each time."""

    found: list[Found]

    @property
    def runs(self) -> Runs:
        """The time and memory of the runs."""
        return Runs([each.run for each in self.found])

    def cells(self) -> list[str]:
        """The cells of a table row."""
        last = self.found[-1]
        return [
            self.runs.spread,
            f"{self.runs.megabytes:.0f} MB",
            f"{last.requests:,}",
            f"{last.bad:,}",
        ]


@contextmanager
def account(
    *, latency_ms: float = 0, emr_quotas: Mapping[str, Quota] | None = None
) -> Iterator[Ground]:
    """Start an account, and create a folder for the runs."""
    with (
        Sandbox.start(latency_ms=latency_ms, emr_quotas=emr_quotas) as started,
        TemporaryDirectory() as folder,
    ):
        yield Ground(started, Path(folder))


def in_turn(rounds: int, *contestants: Callable[[], Found]) -> list[Side]:
    """Run each contestant once as a warm-up, then all of them in turn."""
    for contestant in contestants:
        contestant()
    found: list[list[Found]] = [[] for _ in contestants]
    for _ in range(rounds):
        for place, contestant in enumerate(contestants):
            found[place].append(contestant())
    return [Side(each) for each in found]


def clusters(rounds: int) -> Section:
    """Clusters: Custodian evaluates only whether they have a key."""
    rows = []
    for number, latency, is_recorded in (
        (200, 50, False),
        (200, 0, False),
        (200, 0, True),
        (1160, 0, False),
        (1160, 0, True),
    ):
        with account(latency_ms=latency) as ground:
            bad = seed_clusters(ground.account, number)
            contest = _of_recorded_answers if is_recorded else _of_the_account
            ours, all_rules, theirs = contest(rounds, ground)
        demand(ours, bad)
        demand(all_rules, bad)
        case = f"{number:,} clusters, {latency or 'no'} {'ms a call' if latency else 'latency'}"
        server = "plain server" if is_recorded else "emulated account"
        rows += [
            [f"{case}, {server}", "Cloud Custodian", *theirs.cells(), "1"],
            ["", "audit, rules 001 to 006", *ours.cells(), _times(theirs, ours)],
            ["", "audit, all rules", *all_rules.cells(), _times(theirs, all_rules)],
        ]
    return Section(
        "Clusters",
        "Every fourth cluster has no log key, every fourth an AWS-managed one, the others one of "
        f"{KEYS} customer-managed keys: half of them are non-compliant. Custodian's filter "
        "`LogEncryptionKmsKeyId: absent` finds only the first kind. Rules 001 to 006 read what "
        "it reads, and the keys; "
        "all rules also read key policies, roles, steps and log buckets. "
        "The times include the response time of the emulated account, which affects "
        "Custodian most, because it makes one call after the other. So without latency both are "
        "also measured against a plain server (`benchmarks/recorded_account.py`), which replays "
        "the account's recorded responses from memory while the account is stopped. "
        f"Medians of {rounds}, with the fastest and the slowest in brackets; the start of the "
        "process is included.",
        ["case", "", "time", "memory", "calls", "found", "speed-up"],
        rows,
    )


def _of_the_account(rounds: int, ground: Ground) -> list[Side]:
    """Measure against the account itself."""
    return in_turn(rounds, *_cluster_audits(ground))


def _of_recorded_answers(rounds: int, ground: Ground) -> list[Side]:
    """Record the account's responses, stop the account, and measure against a plain server."""
    with recorded(ground.account.endpoint) as server:
        contestants = _cluster_audits(replace(ground, everything=server))
        for contestant in contestants:
            contestant()
        ground.account.stop()
        return in_turn(rounds, *contestants)


def _cluster_audits(ground: Ground) -> tuple[Callable[[], Found], ...]:
    """Return audit with comparable rules, audit with all rules, and Custodian."""
    return (
        lambda: guard(ground, rules=FAIR_RULES),
        lambda: guard(ground),
        lambda: custodian(ground, CLUSTERS),
    )


def log_objects(rounds: int) -> Section:
    """Log objects: Custodian does not know which cluster they belong to."""
    rows = []
    for latency in (0, 50):
        with account() as ground:
            logs = seed_objects(ground.account, 2000)
            with bucket_server(ground.folder, LOG_BUCKET, logs.heads, latency) as s3:
                at = Ground(ground.account, ground.folder, s3)
                ours, theirs = in_turn(
                    rounds,
                    lambda at=at: guard(at, "--objects"),  # type: ignore[misc]
                    lambda at=at, key=logs.key: custodian(at, objects_policy(key)),  # type: ignore[misc]
                )
        demand(ours, logs.wrong)
        case = f"2,000 log objects, {latency or 'no'} {'ms a call' if latency else 'latency'}"
        rows += [
            [case, "Cloud Custodian", *theirs.cells(), "1"],
            ["", "audit --objects", *ours.cells(), _times(theirs, ours)],
        ]
    return Section(
        "Log objects",
        "Two clusters with a key each; every fourth log has SSE-S3, every fourth the other "
        "cluster's key. "
        "Custodian (`encrypt-keys`, `report-only`) compares with one key for the whole bucket, "
        "so its results differ from the actual violations; "
        "`audit` evaluates each log against its own cluster's key, and also evaluates all rules "
        "for all clusters. "
        "The emulated account takes longer for a HeadObject than either client, so S3 is a plain "
        "server here (`benchmarks/static_s3.py`); everything else is the emulated account.",
        ["case", "", "time", "memory", "calls", "found", "speed-up"],
        rows,
    )


def quotas() -> Section:
    """The complete command in an account that throttles."""
    with account(emr_quotas=DEFAULT_QUOTAS) as ground:
        bad = seed_clusters(ground.account, UNDER_QUOTAS)
        found = guard(ground, rules=FAIR_RULES)
    demand(Side([found]), bad)
    quota = DEFAULT_QUOTAS["DescribeCluster"]
    minimum = quota.seconds(UNDER_QUOTAS)
    return Section(
        "Under EMR's quotas",
        f"DescribeCluster allows a burst of {quota.burst} calls and then one per second, so "
        f"{UNDER_QUOTAS} clusters take at least {minimum:.0f} s. For the reason why the rate "
        "limiter is the project's own see [ADR 12](adr/0012-what-an-audit-costs.md).",
        ["case", "time", "above the minimum", "DescribeCluster calls", "clusters not read"],
        [
            [
                f"{UNDER_QUOTAS} clusters",
                f"{found.run.seconds:.1f} s",
                f"{found.run.seconds / minimum - 1:.0%}",
                f"{found.calls['elasticmapreduce:DescribeCluster']}",
                f"{found.unread}",
            ]
        ],
    )


def demand(side: Side, bad: int) -> None:
    """Require correct results.

    Raises:
        WrongResultError: A run's findings are wrong or incomplete.
    """
    if wrong := {each.bad for each in side.found} - {bad}:
        message = f"audit found {wrong} non-compliant, but {bad} are"
        raise WrongResultError(message)
    if unread := max(each.unread for each in side.found):
        message = f"audit could not read {unread}"
        raise WrongResultError(message)


def _times(theirs: Side, ours: Side) -> str:
    return f"**{theirs.runs.seconds / ours.runs.seconds:.1f}**"
