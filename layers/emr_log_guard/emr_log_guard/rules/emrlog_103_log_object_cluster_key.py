"""EMRLOG-103: a log object carries the key that its step, or else its cluster, names."""

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    not_applicable,
    undetermined,
)
from emr_log_guard.domain.keys import KeyManager, KeyNotFound, KmsKey, is_key_arn
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.premises import kms_encryption
from emr_log_guard.rules.remediation import reencrypt
from emr_log_guard.rules.rule import Rule


def check(facts: LogObjectFacts) -> Outcome:
    """Compare the ARN of the object's key with the ARN of the key that it should have.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
    """
    actual = carried_key(facts)
    if isinstance(actual, Outcome) and actual.compliance is Compliance.NOT_APPLICABLE:
        return actual
    expected = _expected_key(facts)
    if isinstance(expected, Outcome):
        return expected
    if isinstance(actual, Outcome):
        return actual
    if actual == expected.arn:
        return compliant(f"{facts.version} carries its {facts.expected_of}'s key {actual}")
    return non_compliant(
        f"{facts.version} is encrypted with {actual}, its {facts.expected_of} names {expected.arn}"
    )


def carried_key(facts: LogObjectFacts) -> str | Outcome:
    """Ask for the ARN of the customer-managed key that an object is encrypted with."""
    encryption = kms_encryption(facts)
    if isinstance(encryption, Outcome):
        return encryption
    match facts.object_key:
        case KmsKey(manager=KeyManager.AWS):
            return not_applicable("the object's key is AWS-managed")
        case KmsKey(arn=arn):
            return arn
        case _ if encryption.key_identifier and is_key_arn(encryption.key_identifier):
            return encryption.key_identifier
        case None:
            return insufficient_data(f"S3 names no key for {facts.version}")
        case KeyNotFound(reason=reason):
            return insufficient_data(reason)
        case Unresolved() as unread:
            return undetermined(unread)


def _expected_key(facts: LogObjectFacts) -> KmsKey | Outcome:
    if isinstance(facts.cluster, Unresolved):
        return undetermined(facts.cluster)
    match facts.expected_key:
        case None:
            return not_applicable(f"the {facts.expected_of} names no log key")
        case KeyNotFound():
            return not_applicable(f"the {facts.expected_of}'s log key does not exist")
        case Unresolved() as unread:
            return undetermined(unread)
        case key:
            return key


RULE = Rule(
    id="EMRLOG-103",
    name="log-object-cluster-key",
    severity=Severity.HIGH,
    violation="it is under another customer-managed key than its step, or else its cluster, names",
    premise="the object is under a customer-managed key, and its cluster or step names a key that "
    "exists",
    why="This log is under the control of somebody else's key than the one meant for it.",
    check=check,
    remediation=reencrypt,
)
