"""EMRLOG-103: a log object has the key of its step or cluster, and an approved one."""

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    not_applicable,
    undetermined,
)
from emr_log_guard.domain.keys import KeyManager, KeyNotFound, KmsKey, certain_arn, same_key
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.approval import approval
from emr_log_guard.rules.preconditions import kms_encryption
from emr_log_guard.rules.remediation import reencrypt
from emr_log_guard.rules.rule import Rule


def check(facts: LogObjectFacts) -> Outcome:
    """Compare the ARN of the object's key with the expected key, and with the approved ones.

    If the policy lists approved keys, the object's key must be one, regardless of the cluster's.
    """
    actual = carried_key(facts)
    if isinstance(actual, Outcome) and actual.compliance is Compliance.NOT_APPLICABLE:
        return actual
    expected = _expected_key(facts)
    if isinstance(actual, Outcome):
        return expected if isinstance(expected, Outcome) else actual
    outcome = expected if isinstance(expected, Outcome) else _compared(facts, actual, expected)
    if (
        not facts.approved_keys
        or isinstance(
            facts.cluster, Unresolved
        )  # one of another account or Region has its own list
        or outcome.compliance is Compliance.NON_COMPLIANT
    ):
        return outcome
    approved = approval(f"{facts.version}'s key", actual, facts.approved_keys)
    return outcome if approved.compliance is Compliance.COMPLIANT else approved


def _compared(facts: LogObjectFacts, actual: str, expected: KmsKey) -> Outcome:
    """Compare with the expected key; older objects keep the previous key of a moved alias.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
    https://docs.aws.amazon.com/kms/latest/developerguide/alias-about.html
    """
    of = facts.expected_of
    if same_key(actual, expected.arn):
        return compliant(f"{facts.version} is encrypted with its {of}'s key {actual}")
    if any(same_key(actual, former) for former in facts.former_keys):
        return compliant(f"{facts.version} is encrypted with its {of}'s previous key {actual}")
    if facts.default_key is not None and same_key(actual, facts.default_key):
        return compliant(f"{facts.version} is encrypted with the policy's default key {actual}")
    return non_compliant(
        f"{facts.version} is encrypted with {actual}, but its {of} names {expected.arn}"
    )


def carried_key(facts: LogObjectFacts) -> str | Outcome:
    """Return the ARN of the customer-managed key that an object is encrypted with."""
    encryption = kms_encryption(facts)
    if isinstance(encryption, Outcome):
        return encryption
    match facts.object_key:
        case KmsKey(manager=KeyManager.AWS):
            return not_applicable("the object's key is AWS-managed")
        case KmsKey(arn=arn):
            return arn
        case _ if named := certain_arn(None, encryption.key_identifier):
            return named
        case None:
            return insufficient_data(f"S3 names no key for {facts.version}")
        case KeyNotFound(reason=reason):
            return insufficient_data(reason)
        case unread:
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
    violation="the object is encrypted with another customer-managed key than that of its step or "
    "else its cluster (the policy's `reencryption.default_key` complies, too), or with one that "
    "the policy does not approve",
    precondition="the object is encrypted with a customer-managed key, and its cluster or step "
    "has a key that exists, or the policy lists approved keys",
    why="This log is controlled by another key than the intended one.",
    check=check,
    remediation=reencrypt,
)
