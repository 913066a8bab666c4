import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from emr_log_guard.domain.iam_policy import KeyUse
from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
from emr_log_guard.domain.role_policies import RolePolicies, evaluate_role_policies
from tests.unit.builders import ACCOUNT, KEY, NODE_ROLE_ARN, SERVICE_ROLE_ARN

ALLOWED, IMPLICIT, EXPLICIT, LIMITED = IdentityDecision
DESCRIBE = KeyUse(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn)
GENERATE = KeyUse(NODE_ROLE_ARN, "kms:GenerateDataKey", KEY.arn)
MANAGED = Path(__file__).parent / "aws_managed_policies"
UNKNOWN = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
"""A condition that only a request can meet."""
OTHER = {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}
VIA_S3 = {"StringEquals": {"kms:ViaService": f"s3.{KEY.region}.amazonaws.com"}}
REGION_LOCK = {"StringNotEquals": {"aws:RequestedRegion": [KEY.region]}}


def managed(name: str) -> Mapping[str, object]:
    return cast("Mapping[str, object]", json.loads((MANAGED / f"{name}.json").read_text()))


def document(*statements: Mapping[str, object]) -> Mapping[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(**elements: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": "kms:*", "Resource": KEY.arn, **elements}


def deny(**elements: object) -> dict[str, object]:
    return {**allow(**elements), "Effect": "Deny"}


def decision(
    *statements: Mapping[str, object],
    boundary: Mapping[str, object] | None = None,
    use: KeyUse = GENERATE,
) -> object:
    found = evaluate_role_policies(RolePolicies((document(*statements),), boundary), use)
    return set(found.possible) if isinstance(found, UndeterminedDecision) else found


@pytest.mark.parametrize("use", [DESCRIBE, GENERATE])
@pytest.mark.parametrize(
    "name",
    [
        "AmazonElasticMapReduceRole",
        "AmazonElasticMapReduceforEC2Role",
        "AmazonEMRServicePolicy_v2",
    ],
)
def test_default_policies_of_emr_yield_a_determined_decision(name: str, use: KeyUse) -> None:
    """None of them speaks of KMS; each allows what a policy beside it allows."""
    alone = RolePolicies((managed(name),))
    granted = RolePolicies((managed(name), document(allow())))

    assert evaluate_role_policies(alone, use) is IMPLICIT
    assert evaluate_role_policies(granted, use) is ALLOWED


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], IMPLICIT),
        ([allow()], ALLOWED),
        ([allow(), deny()], EXPLICIT),
        ([deny()], EXPLICIT),
        ([allow(Effect="Audit")], IMPLICIT),
        ([{"Action": "kms:*", "Resource": "*"}], IMPLICIT),
        # The condition's key is known, though no earlier simulation was given it.
        ([allow(), deny(Condition=REGION_LOCK)], ALLOWED),
        ([allow(Condition={"StringEquals": {"aws:RequestedRegion": KEY.region}})], ALLOWED),
        ([allow(Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}})], IMPLICIT),
        ([allow(Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}})], ALLOWED),
        (
            [
                allow(
                    Condition={"StringEquals": {"kms:ViaService": f"s3.{KEY.region}.amazonaws.com"}}
                )
            ],
            ALLOWED,
        ),
        # Of another action or another key: it cannot change this result.
        ([allow(), allow(Action="iam:CreateServiceLinkedRole", Condition=OTHER)], ALLOWED),
        ([allow(), deny(Action="kms:Decrypt", Condition=UNKNOWN)], ALLOWED),
        ([allow(), deny(Resource=KEY.arn + "0", Condition=UNKNOWN)], ALLOWED),
        ([allow(), deny(NotAction="kms:*", Condition=UNKNOWN)], ALLOWED),
        # Another statement decides, regardless of the condition.
        ([allow(), allow(Condition=UNKNOWN)], ALLOWED),
        ([deny(), allow(Condition=UNKNOWN)], EXPLICIT),
        ([deny(), deny(Condition=UNKNOWN)], EXPLICIT),
        # The result hangs on it.
        ([allow(Condition=UNKNOWN)], {ALLOWED, IMPLICIT}),
        ([allow(), deny(Condition=UNKNOWN)], {ALLOWED, EXPLICIT}),
        ([deny(Condition=UNKNOWN)], {IMPLICIT, EXPLICIT}),
        ([allow(), deny(NotAction="s3:*", Condition=UNKNOWN)], {ALLOWED, EXPLICIT}),
        ([allow(Condition=UNKNOWN), deny(Condition=UNKNOWN)], {ALLOWED, IMPLICIT, EXPLICIT}),
        ([allow(Resource="arn:aws:kms:*:*:key/${aws:PrincipalTag/key}")], {ALLOWED, IMPLICIT}),
        # What is absent meets a negated condition, but what is not known may be either.
        ([allow(Condition={"StringNotEquals": {"aws:SourceVpc": "v"}})], {ALLOWED, IMPLICIT}),
        ([allow(), deny(Condition={"Null": {"aws:SourceVpc": "true"}})], {ALLOWED, EXPLICIT}),
    ],
)
def test_unknown_condition_matters_only_when_the_result_depends_on_it(
    statements: list[Mapping[str, object]], expected: object
) -> None:
    assert decision(*statements) == expected


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        ([allow(Resource="*")], ALLOWED),
        ([], LIMITED),
        ([allow(Action="s3:*")], LIMITED),
        ([allow(), deny()], LIMITED),
        ([allow(Condition=UNKNOWN)], {ALLOWED, LIMITED}),
        ([allow(), deny(Condition=UNKNOWN)], {ALLOWED, LIMITED}),
        ([allow(), deny(Condition=REGION_LOCK)], ALLOWED),
        ([deny(), allow(Condition=UNKNOWN)], LIMITED),
    ],
)
def test_permissions_boundary_limits_what_it_does_not_allow(
    boundary: list[Mapping[str, object]], expected: object
) -> None:
    assert decision(allow(), boundary=document(*boundary)) == expected


@pytest.mark.parametrize(
    ("use", "expected"), [(GENERATE, ALLOWED), (DESCRIBE, IMPLICIT)], ids=["from S3", "direct"]
)
def test_kms_via_service_condition_is_met_by_log_objects_only(
    use: KeyUse, expected: IdentityDecision
) -> None:
    via_s3 = {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}

    assert decision(allow(Condition=via_s3), use=use) == expected


def test_undetermined_decision_names_each_statement_it_depends_on() -> None:
    found = evaluate_role_policies(
        RolePolicies(
            (document(allow(), deny(Sid="OnlyOurs", Condition=UNKNOWN)),),
            document(allow(Condition={"StringEquals": {"aws:SourceVpc": "v"}})),
        ),
        GENERATE,
    )

    assert isinstance(found, UndeterminedDecision)
    assert found.reason == (
        "the role's Deny statement OnlyOurs cannot be evaluated without the request: "
        "its condition on aws:PrincipalOrgID; "
        "the boundary's Allow statement without a Sid cannot be evaluated without the request: "
        "its condition on aws:SourceVpc"
    )
