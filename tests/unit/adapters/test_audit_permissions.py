import pytest

from emr_log_guard.adapters.audit_permissions import permissions, policy_document
from emr_log_guard.domain.policy import Policy, RuleSettings
from emr_log_guard.usecases.audit.scope import AuditScope
from tests.unit.builders import OTHER_ACCOUNT, REGION

ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/Audit"
CLUSTERS = {"elasticmapreduce:DescribeCluster", "elasticmapreduce:ListClusters"}
USUAL = CLUSTERS | {
    "elasticmapreduce:ListSessions",
    "elasticmapreduce:ListSteps",
    "iam:GetInstanceProfile",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:SimulatePrincipalPolicy",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "s3:ListBucket",
}
ROTATION = Policy(rules={"EMRLOG-011": RuleSettings(enabled=True)})


def scope(policy: Policy | None = None, *only: str, **changes: object) -> AuditScope:
    regions = (REGION,) if "regions" not in changes else None
    return AuditScope(
        policy or Policy(),
        regions,
        only=frozenset(only),
        objects=bool(changes.get("objects")),
        cluster_ids=("j-1A",) if changes.get("named") else (),
    )


@pytest.mark.parametrize(
    ("wanted", "actions"),
    [
        (scope(), USUAL),
        (scope(None, "EMRLOG-001", "EMRLOG-003"), CLUSTERS),
        (scope(None, "EMRLOG-004"), CLUSTERS | {"kms:DescribeKey"}),
        (
            scope(None, "EMRLOG-001", "EMRLOG-013"),
            CLUSTERS
            | {"elasticmapreduce:ListSessions", "elasticmapreduce:ListSteps", "s3:ListBucket"},
        ),
        (scope(ROTATION), USUAL | {"kms:GetKeyRotationStatus"}),
        (scope(objects=True), USUAL | {"s3:GetObject"}),
        (
            scope(None, "EMRLOG-001", "EMRLOG-101", objects=True),
            CLUSTERS
            | {"elasticmapreduce:ListSteps", "kms:DescribeKey", "s3:GetObject", "s3:ListBucket"},
        ),
        (scope(regions=None), USUAL | {"ec2:DescribeRegions"}),
        (scope(named=True), USUAL - {"elasticmapreduce:ListClusters"}),
    ],
)
def test_policy_contains_only_the_actions_that_the_scope_needs(
    wanted: AuditScope, actions: set[str]
) -> None:
    [statement] = permissions(wanted)

    assert set(statement.actions) == actions
    assert not any(word in action for action in actions for word in ("Put", "Create", "Terminate"))


def test_policy_allows_assuming_only_the_given_roles() -> None:
    wanted = AuditScope(Policy(), (REGION,), role_arns=(ROLE,))

    document = policy_document(permissions(wanted))

    assert document["Statement"] == [
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": sorted(USUAL),
            "Resource": "*",
        },
        {
            "Sid": "AssumeTheRolesThatRead",
            "Effect": "Allow",
            "Action": ["sts:AssumeRole"],
            "Resource": [ROLE],
        },
    ]
