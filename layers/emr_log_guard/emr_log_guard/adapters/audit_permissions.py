"""The permissions that an audit needs: read-only, and only those that its options require.

Declared beside the adapters that use them; a test audits with exactly these, and with each missing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from emr_log_guard.usecases.audit.scope import AuditScope

_KEY_RULES = frozenset(
    {
        "EMRLOG-004",
        "EMRLOG-005",
        "EMRLOG-006",
        "EMRLOG-007",
        "EMRLOG-008",
        "EMRLOG-010",
        "EMRLOG-011",
    }
)
"""The rules that need keys."""
_BY_RULE: Mapping[str, tuple[str, ...]] = {
    "EMRLOG-007": (
        "iam:GetInstanceProfile",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:SimulatePrincipalPolicy",
        "kms:GetKeyPolicy",
    ),
    "EMRLOG-008": ("elasticmapreduce:ListSessions", "elasticmapreduce:ListSteps"),
    "EMRLOG-010": ("elasticmapreduce:ListSessions",),
    "EMRLOG-011": ("kms:GetKeyRotationStatus",),
    "EMRLOG-012": ("elasticmapreduce:ListSessions",),
    "EMRLOG-013": ("elasticmapreduce:ListSessions", "elasticmapreduce:ListSteps", "s3:ListBucket"),
}
_OBJECTS = ("elasticmapreduce:ListSteps", "kms:DescribeKey", "s3:GetObject", "s3:ListBucket")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of an IAM policy."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)


def permissions(scope: AuditScope) -> tuple[Statement, ...]:
    """Return the statements that an audit of this scope needs."""
    rules = set(scope.rule_ids)
    clusters = ["elasticmapreduce:DescribeCluster"]
    if not scope.cluster_ids:
        clusters.append("elasticmapreduce:ListClusters")
    wanted = set(clusters)
    if rules & _KEY_RULES:
        wanted.add("kms:DescribeKey")
    for rule_id in rules:
        wanted |= set(_BY_RULE.get(rule_id, ()))
    if scope.object_rules:
        wanted |= set(_OBJECTS)
    if scope.regions is None:
        wanted.add("ec2:DescribeRegions")
    statements = [Statement("Read", tuple(sorted(wanted)))]
    roles = tuple(role for role in scope.role_arns if role)
    if roles:
        statements.append(Statement("AssumeTheRolesThatRead", ("sts:AssumeRole",), roles))
    return tuple(statements)


def policy_document(statements: Iterable[Statement]) -> dict[str, object]:
    """Write an IAM policy."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": statement.sid,
                "Effect": "Allow",
                "Action": list(statement.actions),
                "Resource": "*" if statement.resources == ("*",) else list(statement.resources),
            }
            for statement in statements
        ],
    }
