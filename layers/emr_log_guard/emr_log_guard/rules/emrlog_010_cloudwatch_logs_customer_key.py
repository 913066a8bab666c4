"""EMRLOG-010: logs that the cluster sends to CloudWatch are under a customer-managed key."""

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
from emr_log_guard.rules.emrlog_005_log_key_usable import USABLE_STATES
from emr_log_guard.rules.remediation import make_usable, relaunch
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Ask for a customer-managed EncryptionKeyArn that encrypts, where CloudWatch logging is on.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_CloudWatchLogConfiguration.html
    """
    if not facts.cluster.cloudwatch_logs:
        return not_applicable("the cluster sends no logs to CloudWatch")
    match facts.cloudwatch_key:
        case None:
            return non_compliant("the cluster sends logs to CloudWatch and names no key for them")
        case Unresolved() as unread:
            return undetermined(unread)
        case KeyNotFound(identifier=identifier, reason=reason):
            return non_compliant(
                f"the key {identifier} of CloudWatch logs does not exist: {reason}"
            )
        case KmsKey(manager=KeyManager.AWS, arn=arn):
            return non_compliant(f"the key {arn} of CloudWatch logs is managed by AWS")
        case KmsKey() as key if key.state not in USABLE_STATES:
            if key == facts.log_key:
                return not_applicable("the key is the log key: another rule reports its state")
            return non_compliant(f"the key {key.arn} of CloudWatch logs is {key.state}")
        case key:
            return compliant(f"CloudWatch logs are encrypted with customer-managed key {key.arn}")


def remediation(facts: ClusterFacts) -> str:
    """Bring the key back, or relaunch with one in the monitoring configuration."""
    key = facts.cloudwatch_key
    if isinstance(key, KmsKey) and key.manager is KeyManager.CUSTOMER:
        return make_usable(facts, key)
    return (
        "# Add --monitoring-configuration with a CloudWatchLogConfiguration that has an "
        f"EncryptionKeyArn.\n{relaunch(facts)}"
    )


RULE = Rule(
    id="EMRLOG-010",
    name="cloudwatch-logs-customer-key",
    severity=Severity.MEDIUM,
    violation="the cluster sends logs to CloudWatch and names no customer-managed key for them",
    premise="the cluster sends logs to CloudWatch",
    why="The same logs lie in CloudWatch, where no key policy of the customer's protects them.",
    check=check,
    remediation=remediation,
)
