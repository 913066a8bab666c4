from dataclasses import replace

import pytest

from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.keys import KeyFact
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import KeyUnreadableError
from emr_log_guard.events.kms import AliasCheckRequest, KeyCheckRequest, KeyStoreCheckRequest
from emr_log_guard.usecases.checks.key import CheckKey
from tests.unit.builders import (
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    NO_SUCH_KEY,
    NOW,
    UNREADABLE,
    a_cluster,
    a_key,
)
from tests.unit.fakes import FakeKeys, FakeRechecks
from tests.unit.usecases.world import World

STORE = "cks-1234567890abcdef0"
ALIAS = f"{KEY.arn.rpartition(':')[0]}:alias/emr-logs"
OTHER_ID = "j-3BYYYYYYHBQMG"
APPROVES_OTHERS = Policy(approved_keys=(KEY.arn, "alias/emr-logs-too", f"{ALIAS}-3"), version=1)


def check_key(
    world: World, facts: dict[str, KeyFact], policy: Policy = APPROVES_OTHERS
) -> tuple[CheckKey, FakeRechecks]:
    rechecks = FakeRechecks()
    return CheckKey(FakeKeys(facts), world.repository, rechecks, lambda: policy), rechecks


def store(world: World, cluster_id: str, *keys: str, launched_with: str | None = None) -> None:
    """Have a cluster that logs with these keys, and was launched with an identifier of one."""
    arn = a_cluster().arn.replace(CLUSTER_ID, cluster_id)
    cluster = a_cluster(id=cluster_id, arn=arn, log_key_identifier=launched_with)
    world.repository.write_snapshot(ClusterSnapshot(cluster, keys=keys), None)


@pytest.mark.parametrize("identifier", ["alias/emr-logs", "1234abcd", KEY.arn])
def test_clusters_that_log_with_a_key_are_rechecked_under_any_identifier(
    world: World, identifier: str
) -> None:
    world.check()
    check, rechecks = check_key(world, {identifier: KEY})

    assert check(KeyCheckRequest(identifier, NOW)).summary() == {
        "key": KEY.arn,
        "clusters": [CLUSTER_ID],
    }
    assert (rechecks.asked, rechecks.since) == ([CLUSTER_ID], NOW)


def test_key_arn_matches_ignoring_case(world: World) -> None:
    world.check()
    check, rechecks = check_key(world, {})

    check(KeyCheckRequest(KEY.arn.replace("1234abcd", "1234ABCD")))

    assert rechecks.asked == [CLUSTER_ID]


@pytest.mark.parametrize("fact", [NO_SUCH_KEY, UNREADABLE])
def test_missing_or_unreadable_key_is_identified_by_its_arn(world: World, fact: KeyFact) -> None:
    world.check()
    check, rechecks = check_key(world, {KEY.arn: fact})

    check(KeyCheckRequest(KEY.arn))

    assert rechecks.asked == [CLUSTER_ID]


def test_key_created_after_the_check_of_its_cluster_causes_a_recheck(world: World) -> None:
    """It was in no key's metadata then: the cluster is known by what it was launched with."""
    store(world, CLUSTER_ID, launched_with=KEY.arn.rpartition("/")[2])
    check, rechecks = check_key(world, {})

    check(KeyCheckRequest(KEY.arn))

    assert rechecks.asked == [CLUSTER_ID]


def test_key_without_clusters_causes_no_recheck(world: World) -> None:
    other = a_key(arn=KEY.arn.replace("1234", "9999"))
    check, rechecks = check_key(world, {"other": other})

    assert check(KeyCheckRequest("other")).clusters == ()
    assert rechecks.asked == []


def test_identifier_of_no_key_causes_no_recheck(world: World) -> None:
    world.check()
    check, rechecks = check_key(world, {})

    assert check(KeyCheckRequest("alias/gone")).clusters == ()
    assert rechecks.asked == []


def test_unreadable_alias_raises_key_unreadable(world: World) -> None:
    check, _ = check_key(world, {"alias/emr-logs": UNREADABLE})

    with pytest.raises(KeyUnreadableError, match="AccessDeniedException"):
        check(KeyCheckRequest("alias/emr-logs"))


@pytest.mark.parametrize("identifier", ["alias/emr-logs", ALIAS])
@pytest.mark.parametrize("target", [None, ANOTHER_KEY.arn])
def test_alias_change_rechecks_clusters_launched_with_the_alias(
    world: World, identifier: str, target: str | None
) -> None:
    """They may log with the key that it named before, which no event says."""
    store(world, CLUSTER_ID, KEY.arn, launched_with=identifier)
    store(world, OTHER_ID, KEY.arn, launched_with=KEY.arn)
    check, rechecks = check_key(world, {})

    checked = check(AliasCheckRequest(ALIAS, target, NOW))

    assert checked.summary() == {"key": ALIAS, "clusters": [CLUSTER_ID]}
    assert (rechecks.asked, rechecks.since) == ([CLUSTER_ID], NOW)


def test_alias_change_rechecks_clusters_that_log_with_its_target(world: World) -> None:
    """A step may name the key by the alias."""
    store(world, CLUSTER_ID, KEY.arn, launched_with="alias/emr-logs")
    store(world, OTHER_ID, ANOTHER_KEY.arn, KEY.arn)
    check, rechecks = check_key(world, {})

    check(AliasCheckRequest(ALIAS, KEY.arn))

    assert rechecks.asked == [CLUSTER_ID, OTHER_ID]


@pytest.mark.parametrize(
    "policy",
    [
        Policy(approved_keys=(ANOTHER_KEY.arn, "alias/emr-logs"), version=1),
        Policy(approved_keys=(ALIAS,), version=1),
        Policy(),  # none could be read: whether it approves the alias is unknown
    ],
    ids=["by name", "by ARN", "unreadable"],
)
def test_change_of_an_approved_alias_rechecks_every_cluster_with_a_key(
    world: World, policy: Policy
) -> None:
    """One may log with the key that was approved until now."""
    store(world, CLUSTER_ID, KEY.arn, launched_with=KEY.arn)
    store(world, OTHER_ID, KEY.arn, ANOTHER_KEY.arn)
    store(world, "j-WITHOUTAKEY1")
    check, rechecks = check_key(world, {}, policy)

    check(AliasCheckRequest(ALIAS, a_key().arn.replace("1234", "9999")))

    assert sorted(rechecks.asked) == [CLUSTER_ID, OTHER_ID]


def test_key_store_change_rechecks_clusters_whose_keys_are_or_may_be_in_it(world: World) -> None:
    keys = [KEY.arn.replace("1234", str(number)) for number in (1111, 2222, 3333, 4444, 5555)]
    inside, elsewhere, of_kms, unreadable, gone = keys
    facts: dict[str, KeyFact] = {
        inside: replace(KEY, arn=inside, key_store=STORE),
        elsewhere: replace(KEY, arn=elsewhere, key_store="cks-other"),
        of_kms: replace(KEY, arn=of_kms),
        unreadable: UNREADABLE,
    }
    for number, key in enumerate(keys):
        store(world, f"j-1AXXXXXXXXXX{number}", key)
    store(world, OTHER_ID, inside, of_kms)
    check, rechecks = check_key(world, facts)

    checked = check(KeyStoreCheckRequest(STORE, NOW))

    assert checked.key == STORE
    assert checked.clusters == ("j-1AXXXXXXXXXX0", OTHER_ID, "j-1AXXXXXXXXXX3")
    assert (tuple(rechecks.asked), rechecks.since) == (checked.clusters, NOW)
    assert isinstance(check.keys, FakeKeys)
    assert sorted(check.keys.asked) == sorted(keys)
    assert gone in check.keys.asked
