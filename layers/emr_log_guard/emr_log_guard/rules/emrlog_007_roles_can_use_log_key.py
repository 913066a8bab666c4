"""EMRLOG-007: the cluster's roles may use the log key."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    undetermined,
)
from emr_log_guard.domain.key_access import RoleKeyAccess
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules.preconditions import customer_key
from emr_log_guard.rules.remediation import grant_key, relaunch, what_it_needs
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Check that the service role may describe the key and the nodes' role may encrypt with it.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
    """
    key = usable.usable_customer_key(facts)
    if isinstance(key, Outcome):
        return key
    if not facts.role_access:
        return insufficient_data("the cluster's roles were not read")
    missing: list[str] = []
    unknown: list[Unresolved] = []
    for access in facts.role_access:
        match access if isinstance(access, Unresolved) else access.evaluate(key.account):
            case Unresolved() as unread:
                unknown.append(unread)
            case False if isinstance(access, RoleKeyAccess):
                missing.append(f"the {access.title} {access.role_arn} may not {access.action}")
            case _:
                pass
    if missing:
        return non_compliant(f"{' and '.join(missing)} on {key.arn}")
    if unknown:
        reasons = "; ".join(dict.fromkeys(each.reason for each in unknown))
        return undetermined(Unresolved(reasons, all(each.transient for each in unknown)))
    return compliant(f"the cluster's roles may use {key.arn}")


def remediation(facts: ClusterFacts) -> str:
    """Allow each role the action that it lacks on the key."""
    key = customer_key(facts)
    if isinstance(key, Outcome):
        return relaunch(facts)
    grants = (
        grant_key(access, key)
        for access in facts.role_access
        if isinstance(access, RoleKeyAccess) and access.evaluate(key.account) is not True
    )
    return "\n".join((*grants, *what_it_needs(facts, key.arn)))


RULE = Rule(
    id="EMRLOG-007",
    name="roles-can-use-log-key",
    severity=Severity.MEDIUM,
    violation="the service role lacks `kms:DescribeKey`, or the instance profile's role lacks "
    "`kms:GenerateDataKey`, on the key",
    precondition="the log key is customer-managed and usable",
    why="Without these permissions the logs are silently lost.",
    check=check,
    remediation=remediation,
)
