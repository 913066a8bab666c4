import pytest

from emr_log_guard.domain.keys import KeyFact
from emr_log_guard.errors import KeyUnreadableError
from emr_log_guard.events.kms import KeyHint
from emr_log_guard.usecases.check_key import CheckKey
from tests.unit.builders import CLUSTER_ID, KEY, NO_SUCH_KEY, NOW, UNREADABLE, a_key
from tests.unit.fakes import FakeKeys, FakeRechecks
from tests.unit.usecases.world import World


def check_key(world: World, facts: dict[str, KeyFact]) -> tuple[CheckKey, FakeRechecks]:
    rechecks = FakeRechecks()
    return CheckKey(FakeKeys(facts), world.ledger, rechecks), rechecks


@pytest.mark.parametrize("identifier", ["alias/emr-logs", "1234abcd", KEY.arn])
def test_the_clusters_that_log_with_a_key_are_checked_whatever_it_is_called(
    world: World, identifier: str
) -> None:
    world.check()
    check, rechecks = check_key(world, {identifier: KEY})

    assert check(KeyHint(identifier, NOW)).summary() == {"key": KEY.arn, "clusters": [CLUSTER_ID]}
    assert (rechecks.asked, rechecks.since) == ([CLUSTER_ID], NOW)


@pytest.mark.parametrize("fact", [NO_SUCH_KEY, UNREADABLE])
def test_a_key_that_is_gone_or_closed_is_known_by_its_arn(world: World, fact: KeyFact) -> None:
    world.check()
    check, rechecks = check_key(world, {KEY.arn: fact})

    check(KeyHint(KEY.arn))

    assert rechecks.asked == [CLUSTER_ID]


def test_a_key_that_nobody_logs_with_concerns_nobody(world: World) -> None:
    other = a_key(arn=KEY.arn.replace("1234", "9999"))
    check, rechecks = check_key(world, {"other": other})

    assert check(KeyHint("other")).clusters == ()
    assert rechecks.asked == []


def test_an_alias_that_is_gone_concerns_nobody(world: World) -> None:
    world.check()
    check, rechecks = check_key(world, {})

    assert check(KeyHint("alias/gone")).clusters == ()
    assert rechecks.asked == []


def test_a_key_that_cannot_be_read_is_tried_again(world: World) -> None:
    check, _ = check_key(world, {"alias/emr-logs": UNREADABLE})

    with pytest.raises(KeyUnreadableError, match="AccessDeniedException"):
        check(KeyHint("alias/emr-logs"))
