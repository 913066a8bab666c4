"""EMRLOG-101: a log object is encrypted by KMS."""

from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    undetermined,
)
from emr_log_guard.domain.log_objects import SSE_C, Encryption, LogObjectFacts
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.preconditions import KMS_ALGORITHMS
from emr_log_guard.rules.remediation import reencrypt
from emr_log_guard.rules.rule import Rule

_OTHERS = frozenset({"AES256", SSE_C, "aws:fsx", "aws:backup"})


def check(facts: LogObjectFacts) -> Outcome:
    """Check for aws:kms or aws:kms:dsse.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    match facts.encryption:
        case Unresolved() as unread:
            return undetermined(unread)
        case Encryption(algorithm=None):
            return non_compliant(f"{facts.version} has no server-side encryption")
        case Encryption(algorithm=algorithm) if algorithm in KMS_ALGORITHMS:
            return compliant(f"{facts.version} is encrypted with {algorithm}")
        case Encryption(algorithm=algorithm) if algorithm in _OTHERS:
            name = "SSE-S3 (AES256)" if algorithm == "AES256" else algorithm
            return non_compliant(f"{facts.version} is encrypted with {name}, not with AWS KMS")
        case encryption:
            return insufficient_data(
                f"{facts.version}: unknown encryption {encryption.algorithm!r}"
            )


def remediation(facts: LogObjectFacts) -> str:
    """Re-encrypt in place; an object with SSE-C needs a copy with the customer-provided key."""
    if isinstance(facts.encryption, Encryption) and facts.encryption.algorithm == SSE_C:
        return (
            "# Re-encrypting this object needs the customer-provided key: copy it onto itself with "
            "--sse aws:kms, and that key as the key of the source."
        )
    return reencrypt(facts)


RULE = Rule(
    id="EMRLOG-101",
    name="log-object-kms-encrypted",
    severity=Severity.HIGH,
    violation="a log object is encrypted with SSE-S3 or SSE-C, or not encrypted",
    why="Anyone who can read the bucket can read this log; no key policy protects it.",
    check=check,
    remediation=remediation,
)
