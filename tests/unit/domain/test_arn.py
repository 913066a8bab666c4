import pytest

from emr_log_guard.domain.arn import Arn, partition_of


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
def test_an_arn_is_read_in_its_parts_and_written_as_it_was(text: str, arn: Arn) -> None:
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
def test_anything_else_is_no_arn(text: str) -> None:
    assert Arn.parse(text) is None


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_a_region_is_in_one_partition(region: str, partition: str) -> None:
    assert partition_of(region) == partition
