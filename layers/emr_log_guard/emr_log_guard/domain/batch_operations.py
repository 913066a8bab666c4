"""A job of S3 Batch Operations that re-encrypts the log objects of one folder in place.

From LARGE_BUCKET objects on, that takes less time than the guard's own re-encryption. S3 makes the
list of the objects itself, by prefix and by current encryption.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-update-encryption.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from emr_log_guard.domain.arn import Arn, bucket_arn, partition_of
from emr_log_guard.domain.preparation import Statement, literally, policy, policy_name

type Request = Mapping[str, object]

_PRIORITY = 10
_REPORTS = "emr-log-reencryption"


@dataclass(frozen=True, slots=True)
class ReencryptionJob:
    """A job that re-encrypts log objects.

    A job takes one prefix and one current encryption: a manifest generator's filter has at most one
    of each. So another key of the same folder is another job.
    """

    account: str
    """The account of the buckets and of the job, twelve digits."""
    bucket: str
    prefix: str
    """A cluster's folder, which ends with a slash: everything below it is re-encrypted."""
    former_key: str | None
    """The ARN of the key that the objects have; None for SSE-S3."""
    key_arn: str
    """The key that they get, of the bucket's account and Region."""
    report_bucket: str
    """Where S3 writes the report, with a line for each object. In the bucket's Region."""
    day: date
    """Today: the same job can be created once a day."""
    report_key: str | None = None
    """The ARN of the key that encrypts the report bucket; None for SSE-S3."""

    @property
    def region(self) -> str:
        """The Region of the job, the buckets and the key."""
        return Arn.of(self.key_arn).region

    @property
    def role_name(self) -> str:
        """The name of the role that S3 assumes: jobs that need different permissions differ."""
        about = (self.prefix, self.former_key or "", self.key_arn, self.report_bucket)
        return policy_name("EmrLogReencryption", self.bucket, *about)

    def create_job(self) -> Request:
        """Return the request CreateJob.

        S3 waits for a confirmation, so that the number of objects is seen before any is changed.
        A repeated request returns the same job, because its token is made from its content.
        """
        partition = partition_of(self.region)
        job: dict[str, object] = {
            "AccountId": self.account,
            "ConfirmationRequired": True,
            "Operation": {
                "S3UpdateObjectEncryption": {
                    "ObjectEncryption": {
                        "SSEKMS": {"KMSKeyArn": self.key_arn, "BucketKeyEnabled": True}
                    }
                }
            },
            "ManifestGenerator": {
                "S3JobManifestGenerator": {
                    "ExpectedBucketOwner": self.account,
                    "SourceBucket": self._arn(self.bucket),
                    "Filter": {
                        "KeyNameConstraint": {"MatchAnyPrefix": [self.prefix]},
                        "MatchAnyObjectEncryption": [self._current_encryption()],
                    },
                    "EnableManifestOutput": False,
                }
            },
            "Report": {
                "Enabled": True,
                "Bucket": self._arn(self.report_bucket),
                "ExpectedBucketOwner": self.account,
                "Prefix": _REPORTS,
                "Format": "Report_CSV_20180820",
                "ReportScope": "AllTasks",
            },
            "Description": f"Re-encrypt EMR logs in place, {self.day.isoformat()}",
            "Priority": _PRIORITY,
            "RoleArn": f"arn:{partition}:iam::{self.account}:role/{self.role_name}",
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
        """Let the role re-encrypt below the prefix, and write the report.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-update-encryption.html
        """
        keys = [self.former_key, self.key_arn] if self.former_key else [self.key_arn]
        statements: list[Statement] = [
            {
                "Sid": "ReencryptLogs",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject",
                    "s3:GetObjectVersion",
                    "s3:PutObject",
                    "s3:UpdateObjectEncryption",
                ],
                "Resource": f"{self._arn(self.bucket)}/{literally(self.prefix)}*",
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
                "Resource": self._arn(self.bucket),
            },
            {
                "Sid": "WriteReport",
                "Effect": "Allow",
                "Action": "s3:PutObject",
                "Resource": f"{self._arn(self.report_bucket)}/{_REPORTS}/*",
            },
        ]
        if self.report_key:
            statements.append(
                {
                    "Sid": "EncryptReport",
                    "Effect": "Allow",
                    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                    "Resource": self.report_key,
                }
            )
        return policy(*statements)

    def _current_encryption(self) -> Mapping[str, object]:
        if self.former_key is None:
            return {"SSES3": {}}
        return {"SSEKMS": {"KmsKeyArn": self.former_key}}

    def _arn(self, bucket: str) -> str:
        return bucket_arn(bucket, self.region)
