"""EMRLOG-006: the log key is an approved key."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome, not_applicable
from emr_log_guard.domain.keys import certain_arn
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.approval import approval
from emr_log_guard.rules.preconditions import customer_key, named_key
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Compare key ARNs, never identifiers as configured: an alias can be moved to another key.

    A key that cannot be described is compared by the ARN in the cluster's settings, if it is one.
    https://docs.aws.amazon.com/kms/latest/developerguide/alias-about.html
    """
    if not facts.approved_keys:
        return not_applicable("the policy lists no approved keys")
    key = customer_key(facts)
    if not isinstance(key, Outcome):
        return approval("the log key", key.arn, facts.approved_keys)
    unread = named_key(facts)
    arn = certain_arn(facts.log_key, facts.cluster.log_key_identifier)
    if isinstance(unread, Unresolved) and arn:
        return approval("the log key", arn, facts.approved_keys)
    return key


RULE = Rule(
    id="EMRLOG-006",
    name="log-key-approved",
    severity=Severity.HIGH,
    violation="the policy lists approved keys, and the log key is not one of them",
    precondition="the policy lists approved keys, and the log key exists and is customer-managed",
    why="The owner of an unapproved key decides who can read the logs, and for how long.",
    check=check,
    remediation=relaunch,
)
