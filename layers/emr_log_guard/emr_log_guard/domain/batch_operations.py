"""A job of S3 Batch Operations that re-encrypts the log objects of one folder in place.

S3 lists the objects itself, by prefix, current encryption, size and date.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-update-encryption.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from emr_log_guard.domain.arn import Arn, bucket_arn, partition_of
from emr_log_guard.domain.preparation import Statement, literally, policy, policy_name

type Request = Mapping[str, object]

_PRIORITY = 10


@dataclass(frozen=True, slots=True)
class FormerEncryption:
    """The encryption of objects before they are re-encrypted, as a job can select them."""

    key_arn: str | None = None
    """None with SSE-S3."""
    bucket_key: bool = False
    """Whether they use an S3 Bucket Key, as they do afterwards."""
    aws_managed: bool = False
    """Whether AWS manages the key, such as `aws/s3`."""

    def __str__(self) -> str:
        """Name the key, or `SSE-S3`."""
        return self.key_arn or "SSE-S3"


@dataclass(frozen=True, slots=True)
class ReencryptionJob:
    """A job that re-encrypts log objects.

    A job takes one prefix and one current encryption: a manifest generator's filter has at most one
    of each. So another key of the same folder is another job.
    """

    account: str
    """The account of the bucket and of the job, twelve digits."""
    bucket: str
    prefix: str
    """A cluster's folder, which ends with a slash: everything below it is re-encrypted."""
    former: FormerEncryption
    key_arn: str
    """The key that the objects get, of the bucket's account and Region."""
    created_before: datetime
    """Only objects that were created before are re-encrypted, UTC: these were checked."""
    objects: int
    """How many were counted."""
    in_bucket: int
    """How many objects S3 lists for it, at least: it lists all of the bucket."""

    @property
    def region(self) -> str:
        """The Region of the job, the bucket and the key."""
        return Arn.of(self.key_arn).region

    @property
    def role_name(self) -> str:
        """The name of the role that S3 assumes: jobs that need different permissions differ."""
        about = (self.prefix, str(self.former), self.key_arn)
        return policy_name("EmrLogReencryption", self.bucket, *about)

    def create_job(self) -> Request:
        """Return the request CreateJob.

        S3 waits for a confirmation, so that the number of objects is seen before any is changed.
        A repeated request returns the same job, because its token is made from its content. Folder
        markers are no logs; they are empty, as no compressed log is.
        """
        before = self.created_before.strftime("%Y-%m-%dT%H:%M:%SZ")
        key = {"KMSKeyArn": self.key_arn, "BucketKeyEnabled": self.former.bucket_key}
        job: dict[str, object] = {
            "AccountId": self.account,
            "ConfirmationRequired": True,
            "Operation": {"S3UpdateObjectEncryption": {"ObjectEncryption": {"SSEKMS": key}}},
            "ManifestGenerator": {
                "S3JobManifestGenerator": {
                    "ExpectedBucketOwner": self.account,
                    "SourceBucket": self._bucket_arn,
                    "Filter": {
                        "KeyNameConstraint": {"MatchAnyPrefix": [self.prefix]},
                        "MatchAnyObjectEncryption": [self._current_encryption()],
                        "ObjectSizeGreaterThanBytes": 0,
                        "CreatedBefore": before,
                    },
                    "EnableManifestOutput": False,
                }
            },
            "Report": {"Enabled": False},
            "Description": f"Re-encrypt EMR logs from before {before} in place",
            "Priority": _PRIORITY,
            "RoleArn": f"arn:{partition_of(self.region)}:iam::{self.account}:role/{self.role_name}",
        }
        token = sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()
        return job | {"ClientRequestToken": token}

    def trust_policy(self) -> Statement:
        """Let S3 Batch Operations assume the role.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-iam-role-policies.html
        """
        return policy(
            {
                "Effect": "Allow",
                "Principal": {"Service": "batchoperations.s3.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        )

    def role_policy(self) -> Statement:
        """Let the role list the bucket's objects, and re-encrypt those below the prefix.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-update-encryption.html
        """
        former = self.former.key_arn
        keys = [former, self.key_arn] if former else [self.key_arn]
        return policy(
            {
                "Sid": "ReencryptLogs",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject",
                    "s3:GetObjectVersion",
                    "s3:PutObject",
                    "s3:UpdateObjectEncryption",
                ],
                "Resource": f"{self._bucket_arn}/{literally(self.prefix)}*",
            },
            {
                "Sid": "UseLogKeys",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncrypt*"],
                "Resource": keys,
            },
            {
                "Sid": "ListLogs",
                "Effect": "Allow",
                "Action": "s3:PutInventoryConfiguration",
                "Resource": self._bucket_arn,
            },
        )

    def _current_encryption(self) -> Mapping[str, object]:
        former = self.former
        if former.key_arn is None:
            return {"SSES3": {}}
        return {"SSEKMS": {"KmsKeyArn": former.key_arn, "BucketKeyEnabled": former.bucket_key}}

    @property
    def _bucket_arn(self) -> str:
        return bucket_arn(self.bucket, self.region)
