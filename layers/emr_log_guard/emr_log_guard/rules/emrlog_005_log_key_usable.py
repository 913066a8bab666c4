"""EMRLOG-005: the log key can encrypt the cluster's logs."""

from emr_log_guard.domain.arn import Arn
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
from emr_log_guard.domain.keys import (
    TRANSIENT_STATES,
    KeyFact,
    KeyManager,
    KeyNotFound,
    KeyState,
    KmsKey,
)
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.preconditions import customer_key, named_key
from emr_log_guard.rules.remediation import make_usable, relaunch
from emr_log_guard.rules.rule import Rule

USABLE_STATES = frozenset({KeyState.ENABLED, KeyState.UPDATING})
"""A key is Updating for seconds while its primary Region changes; it can encrypt meanwhile.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""


def check(facts: ClusterFacts) -> Outcome:
    """Check for a usable key; EMRLOG-201 covers one that worked for the cluster and was lost."""
    key = facts.log_key
    lost = isinstance(key, KmsKey) and key.state not in USABLE_STATES
    if facts.log_key_worked and lost:
        return not_applicable("the log key worked before: EMRLOG-201 reports its state")
    return can_encrypt(facts)


def can_encrypt(facts: ClusterFacts) -> Outcome:
    """Check for an existing, enabled, symmetric encryption key in the cluster's Region.

    A key may be unknown for some minutes after its creation, and some states are temporary: neither
    counts as a violation until it has lasted.
    https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
    """
    match named_key(facts):
        case Unresolved() as unread:
            return _by_name(facts) or undetermined(unread)
        case KeyNotFound(identifier=identifier, reason=reason):
            return _by_name(facts) or transient_violation(
                f"the log key {identifier} does not exist: {reason}"
            )
        case KmsKey(manager=KeyManager.AWS):
            return not_applicable("the log key is AWS-managed")
        case KmsKey() as key:
            if flaw := _lasting_flaw(key, facts.cluster.region):
                return non_compliant(f"the log key {key.arn} {flaw}")
            if is_lost(key, facts.cluster.region):
                broken = transient_violation if key.state in TRANSIENT_STATES else non_compliant
                return broken(f"the log key {key.arn} is {key.state}")
            return compliant(f"the log key {key.arn} is {key.state} and encrypts")
        case outcome:
            return outcome


def usable_customer_key(facts: ClusterFacts) -> KmsKey | Outcome:
    """Return the log key if it is customer-managed and can encrypt."""
    if can_encrypt(facts).broken:
        return not_applicable("the log key is not usable")
    return customer_key(facts)


def could_ever_encrypt(facts: ClusterFacts) -> Outcome:
    """Check what never changes about a key: that it is symmetric, and in the cluster's Region.

    That also holds for the time when the key was last used, regardless of its present state.
    """
    match named_key(facts):
        case Unresolved() | KeyNotFound():
            return _by_name(facts) or not_applicable("the log key cannot be described")
        case KmsKey(manager=KeyManager.AWS):
            return not_applicable("the log key is AWS-managed")
        case KmsKey() as key:
            if flaw := _lasting_flaw(key, facts.cluster.region):
                return non_compliant(f"the log key {key.arn} {flaw}")
            return compliant(f"the log key {key.arn} could encrypt")
        case outcome:
            return outcome


def is_lost(key: KeyFact | None, region: str) -> bool:
    """Whether only the state of a key prevents encryption: that can be fixed."""
    return (
        isinstance(key, KmsKey)
        and key.manager is KeyManager.CUSTOMER
        and key.state not in USABLE_STATES
        and _lasting_flaw(key, region) is None
    )


def _lasting_flaw(key: KmsKey, region: str) -> str | None:
    if key.region != region:
        return f"is in {key.region}, the cluster in {region}"
    if key.spec != "SYMMETRIC_DEFAULT" or key.usage != "ENCRYPT_DECRYPT":
        return f"is a {key.spec} key for {key.usage}: only a symmetric encryption key is supported"
    return None


def _by_name(facts: ClusterFacts) -> Outcome | None:
    """Check the Region in the ARN of a key that cannot be described: it may rule the key out."""
    arn = Arn.parse(facts.cluster.log_key_identifier or "")
    if arn is None or arn.service != "kms" or arn.region == facts.cluster.region:
        return None
    return non_compliant(f"the log key {arn} is in {arn.region}, not in {facts.cluster.region}")


def remediation(facts: ClusterFacts) -> str:
    """Restore the key if possible; otherwise relaunch with another one."""
    key = facts.log_key
    if isinstance(key, KmsKey) and is_lost(key, facts.cluster.region):
        return make_usable(facts, key)
    return relaunch(facts)


RULE = Rule(
    id="EMRLOG-005",
    name="log-key-usable",
    severity=Severity.HIGH,
    violation="the log key does not exist, cannot encrypt, is not a symmetric encryption key, "
    "or is in another Region",
    precondition="the log key is not AWS-managed; EMRLOG-201 covers a key that worked and was lost",
    why="EMR cannot encrypt with such a key: logs are missing, or not protected as intended.",
    check=check,
    remediation=remediation,
)
