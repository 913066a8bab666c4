import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from emr_log_guard.adapters.cache import (
    BUCKET_SECONDS,
    CLUSTER_SECONDS,
    KEY_SECONDS,
    STEPS_SECONDS,
    WHOLE_RUN,
    CachedBuckets,
    CachedClusters,
    CachedHistories,
    CachedKeys,
    CachedRoles,
    CachedSteps,
    CachePolicy,
)
from emr_log_guard.adapters.dynamodb import DynamoFindingRepository
from emr_log_guard.domain.clusters import BucketOwnership, Cluster, Step
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
from emr_log_guard.domain.keys import KeyFact, KeyNotFound
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import ClusterNotFoundError
from tests.unit.builders import (
    ACCOUNT,
    CLUSTER_ID,
    KEY,
    NO_SUCH_KEY,
    NODE_ROLE_ARN,
    OTHER_ACCOUNT,
    REGION,
    SERVICE_ROLE_ARN,
    UNREADABLE,
    a_cluster,
)
from tests.unit.fake_table import FakeTable
from tests.unit.fakes import FakeBuckets, FakeClusters, FakeKeys, FakeRoles


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_cluster_is_read_again_only_after_its_retention(clock: Clock) -> None:
    clusters = FakeClusters(a_cluster())
    cached = CachedClusters(clusters, clock)

    for clock.seconds in (0, CLUSTER_SECONDS - 1, CLUSTER_SECONDS + 1):
        assert cached.describe(CLUSTER_ID) == a_cluster()
    assert clusters.asked == [CLUSTER_ID, CLUSTER_ID]


def test_unknown_cluster_is_read_again_only_after_its_retention(clock: Clock) -> None:
    clusters = FakeClusters()
    cached = CachedClusters(clusters, clock)

    for clock.seconds in (0, KEY_SECONDS - 1, KEY_SECONDS + 1):
        with pytest.raises(ClusterNotFoundError, match="is not valid"):
            cached.describe(CLUSTER_ID)
    assert clusters.asked == [CLUSTER_ID, CLUSTER_ID]


@pytest.mark.parametrize("fact", [KEY, NO_SUCH_KEY])
def test_key_is_read_again_only_after_its_retention(clock: Clock, fact: object) -> None:
    keys = FakeKeys({KEY.arn: KEY})
    cached = CachedKeys(keys, clock, CachePolicy(missing_keys=True))
    identifier = KEY.arn if fact is KEY else NO_SUCH_KEY.identifier

    first = cached.describe(identifier)
    for clock.seconds in (KEY_SECONDS - 1, KEY_SECONDS + 1):
        assert cached.describe(identifier) == first
    assert keys.asked == [identifier, identifier]


def test_missing_key_is_not_cached(clock: Clock) -> None:
    keys = FakeKeys({})
    cached = CachedKeys(keys, clock)
    assert isinstance(cached.describe(KEY.arn), KeyNotFound)

    keys.facts = {KEY.arn: KEY}

    assert cached.describe(KEY.arn) == KEY


def test_key_policy_is_read_again_only_after_its_retention(clock: Clock) -> None:
    keys = FakeKeys(policy={})
    cached = CachedKeys(keys, clock)

    for clock.seconds in (0, KEY_SECONDS - 1, KEY_SECONDS + 1):
        assert cached.policy(KEY.arn) == {}
    assert keys.policies_asked == [KEY.arn, KEY.arn]


def test_roles_and_their_permissions_are_read_again_only_after_their_retention(
    clock: Clock,
) -> None:
    roles = FakeRoles()
    cached = CachedRoles(roles, clock)
    calls = [
        "EMR_DefaultRole",
        "EMR_EC2_DefaultRole",
        f"{SERVICE_ROLE_ARN} kms:DescribeKey {KEY.arn}",
    ]

    for clock.seconds in (0, KEY_SECONDS - 1, KEY_SECONDS + 1):
        assert cached.role_arn("EMR_DefaultRole") == SERVICE_ROLE_ARN
        assert cached.instance_profile_role_arn("EMR_EC2_DefaultRole") == NODE_ROLE_ARN
        allowed = cached.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn)
        assert allowed is IdentityDecision.ALLOWED
    assert roles.asked == calls * 2


def test_permissions_are_cached_by_role_action_and_key() -> None:
    roles = FakeRoles()
    cached = CachedRoles(roles)

    for role in (SERVICE_ROLE_ARN, NODE_ROLE_ARN):
        for action in ("kms:DescribeKey", "kms:GenerateDataKey"):
            cached.simulate(role, action, KEY.arn)
    assert len(roles.asked) == 4


def test_undetermined_decision_is_cached() -> None:
    roles = FakeRoles(UndeterminedDecision(frozenset(IdentityDecision), "its condition"))
    cached = CachedRoles(roles)

    for _ in range(2):
        assert cached.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn) == roles.decision
    assert len(roles.asked) == 1


def test_unresolved_fact_is_never_cached() -> None:
    keys, roles = FakeKeys({KEY.arn: UNREADABLE}, policy=UNREADABLE), FakeRoles(UNREADABLE)
    roles.service_role = roles.node_role = Unresolved("iam:GetRole answered Throttling")
    known_keys, known_roles = CachedKeys(keys), CachedRoles(roles)

    for _ in range(2):
        assert known_keys.describe(KEY.arn) == UNREADABLE
        assert known_keys.policy(KEY.arn) == UNREADABLE
        assert known_roles.role_arn("role") == roles.service_role
        assert known_roles.instance_profile_role_arn("profile") == roles.node_role
        assert known_roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn) == UNREADABLE
    assert len(keys.asked) == len(keys.policies_asked) == 2
    assert len(roles.asked) == 6


@pytest.mark.parametrize("rotated", [True, False])
def test_key_rotation_is_read_again_only_after_its_retention(
    clock: Clock, *, rotated: bool
) -> None:
    keys = FakeKeys()
    keys.rotated = rotated
    cached = CachedKeys(keys, clock)

    for clock.seconds in (0, KEY_SECONDS - 1, KEY_SECONDS + 1):
        assert cached.rotation(KEY) is rotated
    assert keys.rotations_asked == [KEY.arn, KEY.arn]


@pytest.mark.parametrize("listed", [(), (Step("s-1", "load", "s3://elsewhere/"),), UNREADABLE])
def test_steps_are_listed_again_only_after_their_retention_even_if_unresolved(
    clock: Clock, listed: tuple[Step, ...] | Unresolved
) -> None:
    clusters = FakeClusters(a_cluster())
    clusters.listed = listed
    cached = CachedSteps(clusters, clock)

    for clock.seconds in (0, STEPS_SECONDS - 1, STEPS_SECONDS + 1):
        assert cached.log_writers(CLUSTER_ID) == listed
    assert clusters.steps_asked == [CLUSTER_ID, CLUSTER_ID]


def test_history_of_a_cluster_is_read_again_only_after_its_retention(clock: Clock) -> None:
    table = FakeTable()
    repository = DynamoFindingRepository(table, "findings")
    repository.write_snapshot(ClusterSnapshot(a_cluster(), keys=(KEY.arn,)), None)
    cached = CachedHistories(repository, clock)

    for clock.seconds in (0, KEY_SECONDS - 1, KEY_SECONDS + 1):
        known = cached.read(CLUSTER_ID).known
        assert known is not None
        assert known.keys == (KEY.arn,)
    assert table.counts["Query"] == 2


@pytest.mark.parametrize("sending", [True, False])
def test_bucket_notifications_are_read_again_only_after_their_retention(
    clock: Clock, *, sending: bool
) -> None:
    buckets = FakeBuckets(sending)
    cached = CachedBuckets(buckets, clock)

    for clock.seconds in (0, BUCKET_SECONDS - 1, BUCKET_SECONDS + 1):
        assert cached.sends_events("b") is sending
    assert buckets.asked == ["b", "b"]


def test_bucket_owner_is_read_again_after_its_retention_or_for_other_accounts(clock: Clock) -> None:
    buckets = FakeBuckets()
    cached = CachedBuckets(buckets, clock)

    for clock.seconds in (0, BUCKET_SECONDS - 1, BUCKET_SECONDS + 1):
        assert cached.ownership("b", (ACCOUNT,)) == BucketOwnership(ACCOUNT, REGION)
    assert cached.ownership("b", (OTHER_ACCOUNT,)) == BucketOwnership(None, REGION)
    assert buckets.owners_asked == [("b", (ACCOUNT,))] * 2 + [("b", (OTHER_ACCOUNT,))]


def test_unreadable_bucket_owner_is_not_cached() -> None:
    buckets = FakeBuckets()
    buckets.owner = UNREADABLE
    cached = CachedBuckets(buckets)

    assert [cached.ownership("b", (ACCOUNT,)) for _ in "12"] == [UNREADABLE] * 2
    assert len(buckets.owners_asked) == 2


def test_unreadable_bucket_notifications_are_not_cached() -> None:
    buckets = FakeBuckets(UNREADABLE)
    cached = CachedBuckets(buckets)

    assert cached.sends_events("b") == cached.sends_events("b") == UNREADABLE
    assert buckets.asked == ["b", "b"]


class SlowKeys(FakeKeys):
    """Keys that take their time: everybody asks before the first answer is there."""

    def __init__(self, answer: KeyFact | Exception) -> None:
        super().__init__()
        self.answer = answer

    def describe(self, identifier: str) -> KeyFact:
        self.asked.append(identifier)
        time.sleep(0.05)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class SlowClusters(FakeClusters):
    """Clusters that take their time."""

    def describe(self, cluster_id: str) -> Cluster:
        time.sleep(0.05)
        return super().describe(cluster_id)


def ask_at_once(cached: CachedKeys, identifiers: list[str]) -> list[KeyFact]:
    with ThreadPoolExecutor(len(identifiers)) as pool:
        return list(pool.map(cached.describe, identifiers))


@pytest.mark.parametrize("answer", [KEY, UNREADABLE])
def test_concurrent_reads_share_one_answer(answer: KeyFact) -> None:
    keys = SlowKeys(answer)
    cached = CachedKeys(keys, retention=WHOLE_RUN)

    assert ask_at_once(cached, ["a", "b"] * 8) == [answer] * 16
    assert sorted(keys.asked) == ["a", "b"]


@pytest.mark.parametrize("known", [[a_cluster()], []])
def test_concurrent_reads_of_a_cluster_are_one_description(known: list[Cluster]) -> None:
    """The quota of DescribeCluster is the account's."""
    clusters = SlowClusters(*known)
    cached = CachedClusters(clusters)

    def is_known(cluster_id: str) -> bool:
        try:
            return cached.describe(cluster_id) == a_cluster()
        except ClusterNotFoundError:
            return False

    with ThreadPoolExecutor(16) as pool:
        assert [*pool.map(is_known, [CLUSTER_ID] * 16)] == [bool(known)] * 16
    assert clusters.asked == [CLUSTER_ID]


def test_failed_read_is_not_cached() -> None:
    keys = SlowKeys(RuntimeError("no answer"))
    cached = CachedKeys(keys, retention=WHOLE_RUN)

    for _ in range(2):
        with pytest.raises(RuntimeError):
            cached.describe("a")
    keys.answer = KEY
    assert cached.describe("a") == KEY
    assert keys.asked == ["a", "a", "a"]


def test_cache_for_a_whole_run_has_no_limits(clock: Clock) -> None:
    keys = FakeKeys()
    cached = CachedKeys(keys, clock, WHOLE_RUN)

    for clock.seconds in (0, 1_000_000):
        for number in range(3000):
            cached.describe(f"key-{number}")
    assert len(keys.asked) == 3000
