"""The vocabulary of results: AWS Config's compliance types, Security Hub's labels."""

from collections.abc import Iterable
from enum import StrEnum


class Compliance(StrEnum):
    """AWS Config's compliance types.

    https://docs.aws.amazon.com/config/latest/APIReference/API_Evaluation.html
    """

    COMPLIANT = "COMPLIANT"
    NON_COMPLIANT = "NON_COMPLIANT"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"

    @property
    def needs_attention(self) -> bool:
        """Whether it is a violation, or could not be determined."""
        return self in (Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA)


class Severity(StrEnum):
    """Security Hub's severity labels, weakest first."""

    # https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Severity.html
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """The position of this label: 0 for LOW, 3 for CRITICAL. Compare ranks, never labels."""
        return list(Severity).index(self)


class Mode(StrEnum):
    """What the guard may do about a finding."""

    OBSERVE = "observe"
    """Record and count."""
    ALERT = "alert"
    """Also notify."""
    ENFORCE = "enforce"
    """Also terminate the cluster, where the stack and the policy allow it."""


def overall(results: Iterable[Compliance]) -> Compliance:
    """Combine the results of a resource's enabled rules.

    NON_COMPLIANT if any rule is; else INSUFFICIENT_DATA if any is; else COMPLIANT if any rule
    applied; NOT_APPLICABLE when none did.
    """
    found = set(results)
    for compliance in (
        Compliance.NON_COMPLIANT,
        Compliance.INSUFFICIENT_DATA,
        Compliance.COMPLIANT,
    ):
        if compliance in found:
            return compliance
    return Compliance.NOT_APPLICABLE
