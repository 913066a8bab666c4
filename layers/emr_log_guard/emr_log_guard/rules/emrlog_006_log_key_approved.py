"""EMRLOG-006: the log key is one that security approved."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    not_applicable,
)
from emr_log_guard.domain.keys import KeyNotFound
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.premises import customer_key
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Compare key ARNs, never identifiers as typed: an alias can be pointed elsewhere.

    https://docs.aws.amazon.com/kms/latest/developerguide/alias-about.html
    """
    if not facts.approved_keys:
        return not_applicable("the policy lists no approved keys")
    key = customer_key(facts)
    if isinstance(key, Outcome):
        return key
    if key.arn in {approved.arn for approved in facts.approved_keys}:
        return compliant(f"the log key {key.arn} is approved")
    for approved in facts.approved_keys:
        match approved.arn:
            case Unresolved(reason):
                return insufficient_data(f"an approved key cannot be resolved: {reason}")
            case KeyNotFound(identifier=identifier, reason=reason):
                # An alias that was deleted may have named this very key a moment ago.
                return insufficient_data(f"approved key {identifier} does not exist: {reason}")
            case _:
                pass
    names = ", ".join(approved.identifier for approved in facts.approved_keys)
    return non_compliant(f"the log key {key.arn} is none of the approved keys ({names})")


RULE = Rule(
    id="EMRLOG-006",
    name="log-key-approved",
    severity=Severity.HIGH,
    violation="the policy approves keys, and this is none of them",
    premise="the policy approves keys, and the log key is a customer-managed one that exists",
    why="Whoever controls an unapproved key decides who reads the logs and how long they last.",
    check=check,
    remediation=relaunch,
)
