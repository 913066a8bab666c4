"""EMRLOG-103: a log object carries the key that its cluster names."""

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    not_applicable,
)
from emr_log_guard.domain.keys import KeyManager, KeyNotFound, KmsKey
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.premises import kms_encryption
from emr_log_guard.rules.remediation import reencrypt
from emr_log_guard.rules.rule import Rule


def check(facts: LogObjectFacts) -> Outcome:
    """Compare the ARN of the object's key with the ARN of its cluster's.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
    """
    encryption = kms_encryption(facts)
    if isinstance(encryption, Outcome):
        return encryption
    if isinstance(facts.object_key, KmsKey) and facts.object_key.manager is KeyManager.AWS:
        return not_applicable("the object's key is AWS-managed")
    expected = _expected_key(facts)
    return expected if isinstance(expected, Outcome) else _compare(facts, encryption, expected.arn)


def _expected_key(facts: LogObjectFacts) -> KmsKey | Outcome:
    if isinstance(facts.cluster, Unresolved):
        return insufficient_data(facts.cluster.reason)
    match facts.cluster_key:
        case None:
            return not_applicable("the cluster names no log key")
        case KeyNotFound():
            return not_applicable("the cluster's log key does not exist")
        case Unresolved(reason):
            return insufficient_data(reason)
        case key:
            return key


def _compare(facts: LogObjectFacts, encryption: Encryption, expected: str) -> Outcome:
    match facts.object_key:
        case KmsKey(arn=arn):
            actual = arn
        case _ if _names_a_key_for_good(encryption.key_identifier):
            actual = encryption.key_identifier or ""
        case None:
            return insufficient_data(f"S3 names no key for {facts.version}")
        case unknown:
            return insufficient_data(unknown.reason)
    if actual == expected:
        return compliant(f"{facts.version} carries its cluster's key {expected}")
    return non_compliant(
        f"{facts.version} is encrypted with {actual}, its cluster names {expected}"
    )


def _names_a_key_for_good(identifier: str | None) -> bool:
    """Say whether an identifier is a key ARN: an alias can be pointed elsewhere."""
    arn = Arn.parse(identifier or "")
    return arn is not None and arn.resource.startswith("key/")


RULE = Rule(
    id="EMRLOG-103",
    name="log-object-cluster-key",
    severity=Severity.HIGH,
    why="This log is under the control of somebody else's key than the one meant for it.",
    check=check,
    remediation=reencrypt,
)
