"""Amazon Resource Names, and the partitions that Regions are in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_PARTS = 6
REGIONS_OF: Mapping[str, str] = {
    "aws": r"^(us|eu|ap|sa|ca|me|af|il|mx)\-\w+\-\d+$",
    "aws-cn": r"^cn\-\w+\-\d+$",
    "aws-eusc": r"^eusc\-(de)\-\w+\-\d+$",
    "aws-iso": r"^us\-iso\-\w+\-\d+$",
    "aws-iso-b": r"^us\-isob\-\w+\-\d+$",
    "aws-iso-e": r"^eu\-isoe\-\w+\-\d+$",
    "aws-iso-f": r"^us\-isof\-\w+\-\d+$",
    "aws-us-gov": r"^us\-gov\-\w+\-\d+$",
}
"""The partitions, and what the names of each one's Regions look like.

Copied from botocore's partitions.json: a test compares the two, so that it fails when an update of
botocore adds a partition.
"""


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN in its parts.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read an ARN. Return None when the text is something else, such as a key id or a name."""
        parts = text.split(":", maxsplit=_PARTS - 1)
        if len(parts) != _PARTS or parts[0] != "arn":
            return None
        return cls(*parts[1:])

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse an ARN that AWS returned.

        Raises:
            ValueError: It is none.

        """
        arn = cls.parse(text)
        if arn is None:
            message = f"not an ARN: {text}"
            raise ValueError(message)
        return arn

    def __str__(self) -> str:
        """Write the ARN as AWS does."""
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def bucket_arn(name: str, region: str) -> str:
    """Return the ARN of an S3 bucket."""
    return str(Arn(partition_of(region), "s3", "", "", name))


def bucket_named(arn: str) -> str | None:
    """Return the name of the S3 bucket that an ARN is of; None for any other ARN or text."""
    found = Arn.parse(arn)
    return found.resource if found and found.service == "s3" else None


def partition_of(region: str) -> str:
    """Return the partition that a Region is in, as botocore does: `aws` for a name like no other.

    https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
    """
    matching = (name for name, regions in REGIONS_OF.items() if re.match(regions, region))
    return next(matching, "aws")
