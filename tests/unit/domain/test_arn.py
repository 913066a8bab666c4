import re

import pytest
from botocore.session import get_session

from emr_log_guard.domain.arn import REGIONS_OF, Arn, partition_of


@pytest.mark.parametrize(
    ("text", "arn"),
    [
        (
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd",
            Arn("aws", "kms", "eu-west-1", "111122223333", "key/1234abcd"),
        ),
        (
            "arn:aws-cn:iam::111122223333:role/service-role/EMR_DefaultRole",
            Arn("aws-cn", "iam", "", "111122223333", "role/service-role/EMR_DefaultRole"),
        ),
        (
            "arn:aws:sns:eu-west-1:111122223333:alerts:a-subscription",
            Arn("aws", "sns", "eu-west-1", "111122223333", "alerts:a-subscription"),
        ),
    ],
)
def test_arn_is_parsed_into_its_parts_and_written_unchanged(text: str, arn: Arn) -> None:
    assert Arn.parse(text) == arn
    assert str(arn) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "alias/emr-logs",
        "arn:aws:kms:eu-west-1:111122223333",
        "ARN:aws:kms:eu-west-1:111122223333:key/1234abcd",
        " arn:aws:kms:eu-west-1:111122223333:key/1234abcd",
    ],
)
def test_text_that_is_not_an_arn_parses_to_none(text: str) -> None:
    assert Arn.parse(text) is None


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eusc-de-east-1", "aws-eusc"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("us-gov-west-1", "aws-us-gov"),
        ("cn-north-1", "aws-cn"),
        ("il-central-1", "aws"),
        ("eu-west-1", "aws"),
        ("moon-dark-1", "aws"),
    ],
)
def test_region_belongs_to_its_partition(region: str, partition: str) -> None:
    assert partition_of(region) == partition


def test_partitions_and_their_regions_equal_those_of_botocore() -> None:
    known = get_session().get_data("partitions")["partitions"]

    assert {each["id"]: each["regionRegex"] for each in known} == REGIONS_OF
    for each in known:
        for region in each["regions"]:
            if not region.endswith("-global"):
                assert partition_of(region) == each["id"], region


@pytest.mark.parametrize(
    "region", ["us-east-1", "eusc-de-east-1", "us-isof-south-1", "us-gov-east-1"]
)
def test_region_name_matches_exactly_one_partition(region: str) -> None:
    assert sum(bool(re.match(regions, region)) for regions in REGIONS_OF.values()) == 1
