"""EMRLOG-102: a log object's KMS key is customer-managed."""

from dataclasses import replace

from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    undetermined,
)
from emr_log_guard.domain.keys import KeyManager, KeyNotFound, KmsKey
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.rules.preconditions import kms_encryption
from emr_log_guard.rules.remediation import reencrypt
from emr_log_guard.rules.rule import Rule


def check(facts: LogObjectFacts) -> Outcome:
    """Check for KeyManager CUSTOMER.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    encryption = kms_encryption(facts)
    if isinstance(encryption, Outcome):
        return encryption
    match facts.object_key:
        case KmsKey(manager=KeyManager.AWS, arn=arn):
            return non_compliant(f"{facts.version} is encrypted with AWS-managed key {arn}")
        case KmsKey(arn=arn):
            return compliant(f"{facts.version} is encrypted with customer-managed key {arn}")
        case None:
            return insufficient_data(f"S3 names no key for {facts.version}")
        case KeyNotFound(reason=reason):
            return insufficient_data(f"who manages the key of {facts.version} is unknown: {reason}")
        case unread:
            reason = f"who manages the key of {facts.version} is unknown: {unread.reason}"
            return undetermined(replace(unread, reason=reason))


RULE = Rule(
    id="EMRLOG-102",
    name="log-object-customer-managed-key",
    severity=Severity.HIGH,
    violation="the object is encrypted with an AWS-managed KMS key",
    precondition="the object is encrypted by KMS",
    why="You cannot restrict or revoke the AWS-managed key that this log is encrypted with.",
    check=check,
    remediation=reencrypt,
)
