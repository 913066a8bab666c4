"""EMRLOG-004: the log key is customer-managed."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    non_compliant,
    not_applicable,
    undetermined,
)
from emr_log_guard.domain.keys import KeyManager, KeyNotFound, KmsKey
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.preconditions import named_key
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Check for KeyManager CUSTOMER.

    https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#customer-mgn-key
    """
    match named_key(facts):
        case Unresolved() as unread:
            return undetermined(unread)
        case KeyNotFound():
            return not_applicable("the log key does not exist")
        case KmsKey(manager=KeyManager.AWS, arn=arn):
            return non_compliant(f"the log key {arn} is managed by AWS")
        case KmsKey(arn=arn):
            return compliant(f"the log key {arn} is customer-managed")
        case outcome:
            return outcome


RULE = Rule(
    id="EMRLOG-004",
    name="log-key-customer-managed",
    severity=Severity.HIGH,
    violation="the log key is AWS-managed",
    precondition="the configured log key exists",
    why="You cannot restrict or revoke an AWS-managed key, and EMR does not support one for logs.",
    check=check,
    remediation=relaunch,
)
