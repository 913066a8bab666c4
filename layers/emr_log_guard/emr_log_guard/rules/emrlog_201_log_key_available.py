"""EMRLOG-201: the log key stays available."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    non_compliant,
    not_applicable,
    transient_violation,
    undetermined,
)
from emr_log_guard.domain.keys import TRANSIENT_STATES, KeyManager, KeyState, KmsKey
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_005_log_key_usable import USABLE_STATES
from emr_log_guard.rules.remediation import make_usable
from emr_log_guard.rules.rule import Rule

_BECAME = {
    KeyState.DISABLED: "was disabled",
    KeyState.PENDING_DELETION: "is scheduled for deletion",
    KeyState.PENDING_REPLICA_DELETION: "is scheduled for deletion",
    KeyState.PENDING_IMPORT: "lost its key material",
}


def check(facts: ClusterFacts) -> Outcome:
    """Check that a key that worked for this cluster is still usable."""
    if not facts.log_key_worked:
        return not_applicable("the log key has not worked for this cluster yet")
    match facts.log_key:
        case Unresolved() as unread:
            return undetermined(unread)
        case KmsKey(manager=KeyManager.CUSTOMER) as key if key.state not in USABLE_STATES:
            became = _BECAME.get(key.state, f"became {key.state}")
            broken = transient_violation if key.state in TRANSIENT_STATES else non_compliant
            return broken(f"the log key {key.arn} {became} while the cluster logs with it")
        case KmsKey(manager=KeyManager.CUSTOMER, arn=arn):
            return compliant(f"the log key {arn} is available")
        case _:
            return not_applicable("another rule reports the problem of the log key")


def remediation(facts: ClusterFacts) -> str:
    """Restore the key."""
    return make_usable(facts, facts.log_key) if isinstance(facts.log_key, KmsKey) else ""


RULE = Rule(
    id="EMRLOG-201",
    name="log-key-available",
    severity=Severity.CRITICAL,
    violation="a key that worked for the cluster was disabled, scheduled for deletion, or lost "
    "its key material",
    precondition="the log key has worked for this cluster",
    why="Without the key, EMR cannot write new logs, and existing ones cannot be read.",
    check=check,
    remediation=remediation,
    deployed_only=True,
)
