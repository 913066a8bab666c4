import pytest

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.key_names import key_names
from emr_log_guard.domain.keys import named_arn
from emr_log_guard.domain.ledger import Known
from tests.unit.builders import (
    ANOTHER_KEY,
    KEY,
    OTHER_ACCOUNT,
    OTHER_REGION,
    a_cluster,
    a_key,
    key_arn,
)


def test_a_key_lives_in_the_account_and_the_region_of_its_arn() -> None:
    key = a_key(arn=key_arn("mrk-1", account=OTHER_ACCOUNT, region=OTHER_REGION))

    assert (key.account, key.region) == (OTHER_ACCOUNT, OTHER_REGION)


def test_a_key_without_an_arn_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="not an ARN: alias/emr-logs"):
        _ = a_key(arn="alias/emr-logs").region


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
def test_an_identifier_is_written_as_the_arn_that_it_stands_for(identifier: str, arn: str) -> None:
    assert named_arn(identifier, HERE) == arn


def test_the_names_of_a_clusters_keys_are_what_it_uses_and_what_it_was_launched_with() -> None:
    alias = f"{KEY.arn.rpartition(':')[0]}:alias/emr-logs"
    cluster = a_cluster(log_key_identifier="alias/emr-logs", cloudwatch_key_identifier=KEY.arn)

    assert key_names(Known(cluster, keys=(ANOTHER_KEY.arn,))) == (ANOTHER_KEY.arn, alias, KEY.arn)
    assert key_names(Known(a_cluster(log_key_identifier=None))) == ()
