import pytest

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.keys import (
    KeyFact,
    KeyIdentifier,
    certain_arn,
    named_arn,
    same_key,
)
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    KEY,
    NO_SUCH_KEY,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    key_arn,
)


def test_key_account_and_region_come_from_its_arn() -> None:
    key = a_key(arn=key_arn("mrk-1", account=OTHER_ACCOUNT, region=OTHER_REGION))

    assert (key.account, key.region) == (OTHER_ACCOUNT, OTHER_REGION)


def test_key_with_an_invalid_arn_raises_value_error() -> None:
    with pytest.raises(ValueError, match="not an ARN: alias/emr-logs"):
        _ = a_key(arn="alias/emr-logs").region


KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MULTI_REGION = "mrk-1234abcd12ab34cd56ef1234567890ab"
ALIAS_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/emr-logs"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KEY.arn, KEY.arn),
        (KEY.arn, key_arn(KEY_ID.upper())),
        (KEY.arn, KEY.arn.replace(REGION, REGION.upper())),
        (KEY_ID, KEY_ID.upper()),
        (MULTI_REGION, MULTI_REGION.upper()),
        ("alias/emr-logs", "alias/emr-logs"),
        (ALIAS_ARN, ALIAS_ARN),
    ],
)
def test_identifiers_of_one_key_are_equal_ignoring_case(one: str, other: str) -> None:
    assert same_key(one, other)
    assert same_key(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KEY.arn, key_arn("0987dcba-09fe-87dc-65ba-ab0987654321")),
        (KEY.arn, key_arn(account=OTHER_ACCOUNT)),
        (KEY.arn, key_arn(region=OTHER_REGION)),
        (KEY.arn, KEY.arn.replace("arn:aws:", "arn:aws-cn:")),
        (key_arn(MULTI_REGION), key_arn(MULTI_REGION, region=OTHER_REGION)),
        (KEY.arn, KEY_ID),
        (KEY.arn, "alias/emr-logs"),
        ("alias/emr-logs", "alias/EMR-logs"),
        ("alias/emr-logs", ALIAS_ARN),
    ],
)
def test_identifiers_of_different_or_unknown_keys_are_not_equal(one: str, other: str) -> None:
    assert not same_key(one, other)
    assert not same_key(other, one)


@pytest.mark.parametrize(
    ("identifier", "arn"),
    [
        (KEY_ID.upper(), KEY.arn),
        ("alias/emr-logs", ALIAS_ARN),
        (key_arn(account=OTHER_ACCOUNT), key_arn(account=OTHER_ACCOUNT)),
    ],
)
def test_identifier_without_an_arn_belongs_to_the_account_and_region_of_the_cluster(
    identifier: str, arn: str
) -> None:
    assert str(KeyIdentifier.parse(identifier).within(Arn.of(a_cluster().arn))) == arn


@pytest.mark.parametrize("identifier", [KEY_ID, "alias/emr-logs", KEY.arn, ALIAS_ARN])
def test_identifier_is_written_as_it_was_parsed(identifier: str) -> None:
    assert str(KeyIdentifier.parse(identifier)) == identifier


@pytest.mark.parametrize(
    ("other", "related"),
    [
        (key_arn(MULTI_REGION, region=OTHER_REGION), True),
        (key_arn(MULTI_REGION), False),
        (key_arn(MULTI_REGION, region=OTHER_REGION, account=OTHER_ACCOUNT), False),
        (key_arn("mrk-1", region=OTHER_REGION), False),
    ],
)
def test_related_keys_share_id_and_account_in_different_regions(
    other: str,
    related: bool,  # noqa: FBT001 - pytest's
) -> None:
    key = KeyIdentifier.parse(key_arn(MULTI_REGION))

    assert key.related_to(KeyIdentifier.parse(other)) is related


def test_single_region_keys_are_never_related() -> None:
    here, there = KeyIdentifier.parse(KEY.arn), KeyIdentifier.parse(key_arn(region=OTHER_REGION))

    assert not here.related_to(there)


@pytest.mark.parametrize(
    ("fact", "identifier", "arn"),
    [
        (KEY, "alias/emr-logs", KEY.arn),
        (UNREADABLE, key_arn(KEY_ID.upper()), KEY.arn),
        (UNREADABLE, KEY.arn, KEY.arn),
        (NO_SUCH_KEY, KEY.arn, KEY.arn),
        (UNREADABLE, "alias/emr-logs", None),
        (UNREADABLE, KEY_ID, None),
        (None, None, None),
    ],
)
def test_key_arn_is_certain_from_kms_or_from_an_identifier_that_is_a_key_arn(
    fact: KeyFact | None, identifier: str | None, arn: str | None
) -> None:
    assert certain_arn(fact, identifier) == arn


HERE = Arn("aws", "elasticmapreduce", "eu-west-1", "111122223333", "cluster/j-2AXXXXXXGAPLF")


@pytest.mark.parametrize(
    ("identifier", "arn"),
    [
        ("alias/emr-logs", "arn:aws:kms:eu-west-1:111122223333:alias/emr-logs"),
        ("1234abcd", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"),
        ("mrk-1234", "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234"),
        (ANOTHER_KEY.arn, ANOTHER_KEY.arn),
        (
            "arn:aws:kms:us-east-1:999999999999:alias/x",
            "arn:aws:kms:us-east-1:999999999999:alias/x",
        ),
    ],
)
def test_identifier_resolves_to_an_arn_of_the_given_account_and_region(
    identifier: str, arn: str
) -> None:
    assert named_arn(identifier, HERE) == arn


def test_key_names_of_a_cluster_are_its_configured_and_its_launch_keys() -> None:
    alias = f"{KEY.arn.rpartition(':')[0]}:alias/emr-logs"
    cluster = a_cluster(log_key_identifier="alias/emr-logs", cloudwatch_key_identifier=KEY.arn)

    assert ClusterSnapshot(cluster, keys=(ANOTHER_KEY.arn,)).key_names == (
        ANOTHER_KEY.arn,
        alias,
        KEY.arn,
    )
    assert ClusterSnapshot(a_cluster(log_key_identifier=None)).key_names == ()
