import pytest

from tests.unit.builders import OTHER_ACCOUNT, OTHER_REGION, a_key, key_arn


def test_a_key_lives_in_the_account_and_the_region_of_its_arn() -> None:
    key = a_key(arn=key_arn("mrk-1", account=OTHER_ACCOUNT, region=OTHER_REGION))

    assert (key.account, key.region) == (OTHER_ACCOUNT, OTHER_REGION)


def test_a_key_without_an_arn_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="not an ARN: alias/emr-logs"):
        _ = a_key(arn="alias/emr-logs").region
