"""What re-encrypting log objects costs, before it is done.

In USD, at the list prices of us-east-1 in June 2026, as docs/costs.md.
https://aws.amazon.com/s3/pricing/
https://aws.amazon.com/kms/pricing/
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil

from emr_log_guard.domain.batch_operations import ReencryptionJob

KMS_REQUESTS = 2
"""How many requests to KMS an update causes at most.

S3 documents only the permissions. The object's data key is decrypted and encrypted, which is one
ReEncrypt from KMS key to KMS key.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/update-sse-encryption.html
"""
_HEAD = 0.0004 / 1_000
_UPDATE = 0.005 / 1_000
"""Priced as PUT in S3 Standard, for any storage class of the object.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/update-sse-encryption.html
"""
_LIST = 0.005 / 1_000
_LISTED = 1_000
"""How many objects a list request returns."""
_KMS_REQUEST = 0.03 / 10_000
_JOB = 0.25
_JOB_OBJECT = 1.00 / 1_000_000
_JOB_LISTED = 0.015 / 1_000_000
"""For each object of the source bucket, regardless of the job's prefix."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of an estimate."""

    what: str
    count: int
    usd_each: float

    @property
    def usd(self) -> float:
        """The price of all, in USD."""
        return self.count * self.usd_each


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the re-encryption of a number of objects costs."""

    charges: tuple[Charge, ...]

    @property
    def usd(self) -> float:
        """The price of all charges, in USD."""
        return sum(charge.usd for charge in self.charges)


def reencryption_cost(objects: int, *, listed: int) -> Estimate:
    """Estimate what re-encryption by the guard costs in requests.

    An object that is re-encrypted takes two HeadObject: one to check it, as every listed object,
    and one afterwards as the proof.

    Args:
        objects: How many objects are re-encrypted.
        listed: How many objects are listed and checked to find them, these included.

    """
    return Estimate(
        (
            Charge("list requests", ceil(listed / _LISTED), _LIST),
            Charge("HeadObject", listed + objects, _HEAD),
            Charge("UpdateObjectEncryption", objects, _UPDATE),
            Charge("KMS requests, at most", KMS_REQUESTS * objects, _KMS_REQUEST),
        )
    )


def batch_operations_cost(jobs: Collection[ReencryptionJob]) -> Estimate:
    """Estimate what the same costs with jobs of S3 Batch Operations."""
    objects = sum(job.objects for job in jobs)
    return Estimate(
        (
            Charge("S3 Batch Operations jobs", len(jobs), _JOB),
            Charge(
                "objects that the jobs list, at least", sum(j.in_bucket for j in jobs), _JOB_LISTED
            ),
            Charge("objects that the jobs process", objects, _JOB_OBJECT),
            Charge("UpdateObjectEncryption", objects, _UPDATE),
            Charge("KMS requests, at most", KMS_REQUESTS * objects, _KMS_REQUEST),
        )
    )
