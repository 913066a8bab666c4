from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.unresolved import Unresolved
from tests.unit.aws_answers import iam_profile, iam_role
from tests.unit.builders import ACCOUNT, KEY, NODE_ROLE_ARN, SERVICE_ROLE_ARN, reason_of
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

WHEN = "2026-03-14T15:09:26Z"
PATHED_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/service-role/EMR_DefaultRole"
NEVER_ANSWERED = ReadTimeoutError(endpoint_url="https://iam.invalid")


@pytest.fixture
def roles(aws: StubbedAws) -> IamRoles:
    return IamRoles(aws.attach(boto3.client("iam")))


@pytest.mark.parametrize("arn", [SERVICE_ROLE_ARN, PATHED_ROLE_ARN])
def test_a_roles_name_is_resolved_with_its_path(aws: StubbedAws, roles: IamRoles, arn: str) -> None:
    aws.answer("GetRole", {"Role": iam_role(arn)})

    assert roles.role_arn("EMR_DefaultRole") == arn
    assert aws.calls == [("GetRole", {"RoleName": "EMR_DefaultRole"})]


def test_a_roles_arn_needs_no_call(aws: StubbedAws, roles: IamRoles) -> None:
    assert roles.role_arn(PATHED_ROLE_ARN) == PATHED_ROLE_ARN
    assert aws.calls == []


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (AwsError("NoSuchEntity", status=404), "NoSuchEntity"),
        (AwsError("AccessDenied", status=403), "AccessDenied"),
        (AwsError("Throttling"), "Throttling"),
        (NEVER_ANSWERED, "ReadTimeoutError"),
    ],
)
def test_a_role_that_cannot_be_read_is_doubt(
    aws: StubbedAws, roles: IamRoles, answer: Answer, name: str
) -> None:
    aws.answer("GetRole", answer)

    assert reason_of(roles.role_arn("EMR")) == (f"iam:GetRole on EMR answered {name}")


@pytest.mark.parametrize(
    "profile",
    [
        "EMR_EC2_DefaultRole",
        f"arn:aws:iam::{ACCOUNT}:instance-profile/EMR_EC2_DefaultRole",
        f"arn:aws:iam::{ACCOUNT}:instance-profile/some/path/EMR_EC2_DefaultRole",
    ],
)
def test_an_instance_profile_is_asked_by_name_for_its_role(
    aws: StubbedAws, roles: IamRoles, profile: str
) -> None:
    aws.answer("GetInstanceProfile", iam_profile(NODE_ROLE_ARN))

    assert roles.instance_profile_role_arn(profile) == NODE_ROLE_ARN
    assert aws.calls == [("GetInstanceProfile", {"InstanceProfileName": "EMR_EC2_DefaultRole"})]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (iam_profile(), "instance profile p holds no role"),
        (AwsError("NoSuchEntity"), "iam:GetInstanceProfile on p answered NoSuchEntity"),
        (NEVER_ANSWERED, "iam:GetInstanceProfile on p answered ReadTimeoutError"),
    ],
)
def test_an_instance_profile_without_a_readable_role_is_doubt(
    aws: StubbedAws, roles: IamRoles, answer: Answer, told: str
) -> None:
    aws.answer("GetInstanceProfile", answer)

    assert reason_of(roles.instance_profile_role_arn("p")) == (told)


def simulated(decision: str, **more: object) -> dict[str, Any]:
    result = {"EvalActionName": "kms:DescribeKey", "EvalDecision": decision, **more}
    return {"EvaluationResults": [result]}


def specific(**more: object) -> list[dict[str, object]]:
    return [
        {"EvalResourceName": KEY.arn, "EvalResourceDecision": "allowed", **more},
    ]


BOUNDARY = {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}
WITHIN_BOUNDARY = {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": True}}
ORGANIZATION = {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}
WITHIN_ORGANIZATION = {"OrganizationsDecisionDetail": {"AllowedByOrganizations": True}}
CONDITIONAL = Unresolved(
    f"kms:DescribeKey by {SERVICE_ROLE_ARN} depends on conditions that only a request has: "
    "aws:SourceIp, aws:SourceVpc"
)


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (simulated("allowed"), IdentityDecision.ALLOWED),
        (simulated("implicitDeny"), IdentityDecision.IMPLICIT_DENY),
        (simulated("explicitDeny"), IdentityDecision.EXPLICIT_DENY),
        (simulated("implicitDeny", **BOUNDARY), IdentityDecision.LIMITED),
        (simulated("implicitDeny", **ORGANIZATION), IdentityDecision.LIMITED),
        (simulated("explicitDeny", **ORGANIZATION, **BOUNDARY), IdentityDecision.LIMITED),
        (simulated("allowed", **WITHIN_ORGANIZATION, **WITHIN_BOUNDARY), IdentityDecision.ALLOWED),
        (simulated("allowed", MissingContextValues=[]), IdentityDecision.ALLOWED),
        (
            simulated("allowed", MissingContextValues=["aws:SourceVpc", "aws:SourceIp"]),
            CONDITIONAL,
        ),
        (
            simulated(
                "implicitDeny",
                MissingContextValues=["aws:SourceIp"],
                ResourceSpecificResults=specific(MissingContextValues=["aws:SourceVpc"]),
            ),
            CONDITIONAL,
        ),
        (
            simulated("allowed", ResourceSpecificResults=specific()),
            IdentityDecision.ALLOWED,
        ),
        (
            AwsError("NoSuchEntity"),
            Unresolved(f"iam:SimulatePrincipalPolicy on {SERVICE_ROLE_ARN} answered NoSuchEntity"),
        ),
        (
            AwsError("AccessDenied"),
            Unresolved(f"iam:SimulatePrincipalPolicy on {SERVICE_ROLE_ARN} answered AccessDenied"),
        ),
    ],
)
def test_the_simulators_answer_is_read(
    aws: StubbedAws, roles: IamRoles, answer: Answer, decision: IdentityDecision | Unresolved
) -> None:
    aws.answer("SimulatePrincipalPolicy", answer)

    assert roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn) == decision
    assert aws.calls == [
        (
            "SimulatePrincipalPolicy",
            {
                "PolicySourceArn": SERVICE_ROLE_ARN,
                "ActionNames": ["kms:DescribeKey"],
                "ResourceArns": [KEY.arn],
            },
        )
    ]
