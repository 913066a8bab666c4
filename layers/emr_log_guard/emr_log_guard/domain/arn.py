"""Amazon Resource Names."""

from dataclasses import dataclass
from typing import Self

_PARTS = 6


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
        """Read what AWS itself gave as an ARN.

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


def partition_of(region: str) -> str:
    """Say which partition a Region is in.

    https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
    """
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
        if region.startswith(prefix):
            return partition
    return "aws"
