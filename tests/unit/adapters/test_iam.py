import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
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
def test_role_name_is_resolved_to_its_arn_with_the_path(
    aws: StubbedAws, roles: IamRoles, arn: str
) -> None:
    aws.answer("GetRole", {"Role": iam_role(arn)})

    assert roles.role_arn("EMR_DefaultRole") == arn
    assert aws.calls == [("GetRole", {"RoleName": "EMR_DefaultRole"})]


def test_role_arn_needs_no_call(aws: StubbedAws, roles: IamRoles) -> None:
    assert roles.role_arn(PATHED_ROLE_ARN) == PATHED_ROLE_ARN
    assert aws.calls == []


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (AwsError("NoSuchEntity", status=404), "answered NoSuchEntity"),
        (AwsError("AccessDenied", status=403), "answered AccessDenied"),
        (AwsError("Throttling"), "answered Throttling"),
        (NEVER_ANSWERED, "failed with ReadTimeoutError"),
    ],
)
def test_a_role_that_cannot_be_read_is_undetermined(
    aws: StubbedAws, roles: IamRoles, answer: Answer, name: str
) -> None:
    aws.answer("GetRole", answer)

    assert reason_of(roles.role_arn("EMR")) == (f"iam:GetRole on EMR {name}")


@pytest.mark.parametrize(
    "profile",
    [
        "EMR_EC2_DefaultRole",
        f"arn:aws:iam::{ACCOUNT}:instance-profile/EMR_EC2_DefaultRole",
        f"arn:aws:iam::{ACCOUNT}:instance-profile/some/path/EMR_EC2_DefaultRole",
    ],
)
def test_instance_profile_is_resolved_by_name_to_its_role(
    aws: StubbedAws, roles: IamRoles, profile: str
) -> None:
    aws.answer("GetInstanceProfile", iam_profile(NODE_ROLE_ARN))

    assert roles.instance_profile_role_arn(profile) == NODE_ROLE_ARN
    assert aws.calls == [("GetInstanceProfile", {"InstanceProfileName": "EMR_EC2_DefaultRole"})]


@pytest.mark.parametrize(
    ("answer", "notified"),
    [
        (iam_profile(), "instance profile p holds no role"),
        (AwsError("NoSuchEntity"), "iam:GetInstanceProfile on p answered NoSuchEntity"),
        (NEVER_ANSWERED, "iam:GetInstanceProfile on p failed with ReadTimeoutError"),
    ],
)
def test_an_instance_profile_without_a_readable_role_is_undetermined(
    aws: StubbedAws, roles: IamRoles, answer: Answer, notified: str
) -> None:
    aws.answer("GetInstanceProfile", answer)

    assert reason_of(roles.instance_profile_role_arn("p")) == (notified)


def simulated(decision: str, **more: object) -> dict[str, Any]:
    result = {"EvalActionName": "kms:DescribeKey", "EvalDecision": decision, **more}
    return {"EvaluationResults": [result]}


def specific(**more: object) -> list[dict[str, object]]:
    return [
        {"EvalResourceName": KEY.arn, "EvalResourceDecision": "allowed", **more},
    ]


ALLOWED, IMPLICIT, EXPLICIT, LIMITED = IdentityDecision
BOUNDARY = {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}
WITHIN_BOUNDARY = {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": True}}
ORGANIZATION = {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}
WITHIN_ORGANIZATION = {"OrganizationsDecisionDetail": {"AllowedByOrganizations": True}}
KNOWN = {
    "aws:PrincipalAccount": ACCOUNT,
    "aws:PrincipalArn": SERVICE_ROLE_ARN,
    "aws:PrincipalIsAWSService": "false",
    "aws:PrincipalType": "AssumedRole",
    "aws:RequestedRegion": KEY.region,
    "aws:ResourceAccount": ACCOUNT,
    "aws:SecureTransport": "true",
    "aws:ViaAWSService": "false",
    "kms:CallerAccount": ACCOUNT,
}
"""What is known of the request by which EMR describes a key."""


def given(call: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The context of a simulated request: value and type by condition key."""
    return {
        record["ContextKeyName"]: (*record["ContextKeyValues"], record["ContextKeyType"])
        for record in call["ContextEntries"]
    }


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (simulated("allowed"), ALLOWED),
        (simulated("implicitDeny"), IMPLICIT),
        (simulated("explicitDeny"), EXPLICIT),
        (simulated("allowed", **WITHIN_ORGANIZATION), ALLOWED),
        (simulated("allowed", MissingContextValues=[]), ALLOWED),
        (simulated("allowed", ResourceSpecificResults=specific()), ALLOWED),
        # What is given is not missing, and neither is what is known to be absent.
        (simulated("allowed", MissingContextValues=["aws:requestedregion"]), ALLOWED),
        (simulated("implicitDeny", MissingContextValues=["kms:ViaService"]), IMPLICIT),
        (
            AwsError("NoSuchEntity"),
            Unresolved(f"iam:SimulatePrincipalPolicy on {SERVICE_ROLE_ARN} answered NoSuchEntity"),
        ),
        (
            AwsError("AccessDenied"),
            Unresolved(f"iam:SimulatePrincipalPolicy on {SERVICE_ROLE_ARN} answered AccessDenied"),
        ),
        (
            AwsError("Throttling"),
            Unresolved(
                f"iam:SimulatePrincipalPolicy on {SERVICE_ROLE_ARN} answered Throttling",
                transient=True,
            ),
        ),
    ],
)
def test_simulation_without_missing_condition_keys_decides(
    aws: StubbedAws, roles: IamRoles, answer: Answer, decision: IdentityDecision | Unresolved
) -> None:
    aws.answer("SimulatePrincipalPolicy", answer)

    assert roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn) == decision
    [(operation, call)] = aws.calls
    assert operation == "SimulatePrincipalPolicy"
    assert call["PolicySourceArn"] == SERVICE_ROLE_ARN
    assert call["ActionNames"] == ["kms:DescribeKey"]
    assert call["ResourceArns"] == [KEY.arn]


def test_simulation_gets_the_known_context_of_the_request(aws: StubbedAws, roles: IamRoles) -> None:
    aws.answer("SimulatePrincipalPolicy", simulated("allowed"))

    roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn)
    roles.simulate(NODE_ROLE_ARN, "kms:GenerateDataKey", KEY.arn)

    [(_, described), (_, encrypted)] = aws.calls
    booleans = {"aws:PrincipalIsAWSService", "aws:SecureTransport", "aws:ViaAWSService"}
    assert given(described) == {
        key: (value, "boolean" if key in booleans else "string") for key, value in KNOWN.items()
    }
    assert given(encrypted) == given(described) | {
        "aws:PrincipalArn": (NODE_ROLE_ARN, "string"),
        "aws:ViaAWSService": ("true", "boolean"),
        "kms:ViaService": (f"s3.{KEY.region}.amazonaws.com", "string"),
    }


def test_denial_by_a_service_control_policy_is_undetermined(
    aws: StubbedAws, roles: IamRoles
) -> None:
    """The simulator names no condition key of such a policy: a refusal is no proof.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    aws.answer("SimulatePrincipalPolicy", simulated("implicitDeny", **ORGANIZATION))

    found = roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn)

    assert isinstance(found, UndeterminedDecision)
    assert found.possible == set(IdentityDecision)
    assert "a service control policy denies kms:DescribeKey" in found.reason
    assert aws.counts == {"SimulatePrincipalPolicy": 1}


INLINE = f"{ACCOUNT}-inline"
ATTACHED_ARN = f"arn:aws:iam::{ACCOUNT}:policy/attached"
BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
ELSEWHERE = {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}
OURS = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
MISSING = {"MissingContextValues": ["iam:AWSServiceName"]}


def statement(effect: str = "Allow", **elements: object) -> dict[str, object]:
    return {"Effect": effect, "Action": "kms:*", "Resource": "*", **elements}


@dataclass
class Stored:
    """A role's policies as IAM stores them."""

    inline: list[dict[str, object]] = field(default_factory=list)
    attached: list[dict[str, object]] = field(default_factory=list)
    boundary: list[dict[str, object]] | None = None

    def answer(self, aws: StubbedAws) -> None:
        role = iam_role(SERVICE_ROLE_ARN)
        if self.boundary is not None:
            role["PermissionsBoundary"] = {
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": BOUNDARY_ARN,
            }
        attached = [{"PolicyName": "attached", "PolicyArn": ATTACHED_ARN}] if self.attached else []
        aws.answer("GetRole", {"Role": role})
        aws.answer(
            "ListRolePolicies",
            {"PolicyNames": [INLINE] if self.inline else [], "IsTruncated": False},
        )
        aws.answer("ListAttachedRolePolicies", {"AttachedPolicies": attached, "IsTruncated": False})
        aws.answer(
            "GetRolePolicy",
            {
                "RoleName": "EMR_DefaultRole",
                "PolicyName": INLINE,
                "PolicyDocument": self.written(self.inline),
            },
        )
        aws.answer("GetPolicy", {"Policy": {"DefaultVersionId": "v7"}})
        aws.answer("GetPolicyVersion", self.version)

    def version(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["VersionId"] == "v7"
        boundary = asked["PolicyArn"] == BOUNDARY_ARN
        statements = self.boundary if boundary else self.attached
        return {"PolicyVersion": {"Document": self.written(statements)}}

    @staticmethod
    def written(statements: object) -> str:
        """As it comes over the wire: botocore decodes it."""
        return quote(json.dumps({"Version": "2012-10-17", "Statement": statements}))


@pytest.mark.parametrize(
    ("answer", "stored", "decision"),
    [
        (
            simulated("allowed", **MISSING),
            Stored([statement()], [statement(Action="iam:*", Condition=ELSEWHERE)]),
            ALLOWED,
        ),
        (
            simulated("implicitDeny", **MISSING),
            Stored(attached=[statement(Action="iam:*", Condition=ELSEWHERE)]),
            IMPLICIT,
        ),
        (
            simulated("implicitDeny", ResourceSpecificResults=specific(**MISSING)),
            Stored(attached=[statement(Action="iam:*", Condition=ELSEWHERE)]),
            IMPLICIT,
        ),
        (
            simulated("allowed", MissingContextValues=["aws:PrincipalOrgID"]),
            Stored([statement(), statement("Deny", Condition=OURS)]),
            {ALLOWED, EXPLICIT},
        ),
        (
            simulated("implicitDeny", MissingContextValues=["aws:PrincipalOrgID"]),
            Stored(attached=[statement(Condition=OURS)]),
            {ALLOWED, IMPLICIT},
        ),
        (
            simulated("explicitDeny", MissingContextValues=["aws:PrincipalOrgID"]),
            Stored([statement("Deny")], [statement(Condition=OURS)]),
            EXPLICIT,
        ),
        # A boundary's condition keys are not named: it is read wherever there is one.
        (
            simulated("allowed", **WITHIN_BOUNDARY),
            Stored([statement()], [], [statement()]),
            ALLOWED,
        ),
        (simulated("implicitDeny", **BOUNDARY), Stored([statement()], [], []), LIMITED),
        (
            simulated("implicitDeny", ResourceSpecificResults=specific(**BOUNDARY)),
            Stored([statement()], [], []),
            LIMITED,
        ),
        (
            simulated("implicitDeny", **BOUNDARY),
            Stored([statement()], [], [statement(Condition=OURS)]),
            {ALLOWED, LIMITED},
        ),
        (
            simulated("allowed", **WITHIN_BOUNDARY),
            Stored([statement()], [], [statement(), statement("Deny", Condition=OURS)]),
            {ALLOWED, LIMITED},
        ),
        # The simulator and the policies do not agree: neither is proof.
        (simulated("allowed", **MISSING), Stored(), {ALLOWED, IMPLICIT}),
        (simulated("implicitDeny", **MISSING), Stored([statement()]), {ALLOWED, IMPLICIT}),
        (
            simulated("explicitDeny", **MISSING),
            Stored([statement(Condition=OURS)]),
            {ALLOWED, IMPLICIT, EXPLICIT},
        ),
    ],
)
def test_role_policies_decide_when_the_simulation_misses_a_condition_key(
    aws: StubbedAws, roles: IamRoles, answer: Answer, stored: Stored, decision: object
) -> None:
    aws.answer("SimulatePrincipalPolicy", answer)
    stored.answer(aws)

    found = roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn)

    if isinstance(found, UndeterminedDecision):
        assert found.reason
        assert found.possible == decision
    else:
        assert found == decision
    assert aws.counts["SimulatePrincipalPolicy"] == 1
    assert ("GetRole" in aws.counts) is (stored.boundary is not None)


def test_contradiction_between_simulation_and_policies_is_undetermined_with_a_reason(
    aws: StubbedAws, roles: IamRoles
) -> None:
    aws.answer("SimulatePrincipalPolicy", simulated("allowed", **MISSING))
    Stored().answer(aws)

    found = roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn)

    assert isinstance(found, UndeterminedDecision)
    assert found.reason == (
        "IAM's simulation returns allowed, but the policies themselves evaluate to implicitDeny"
    )


def test_boundary_removed_after_the_simulation_is_undetermined(
    aws: StubbedAws, roles: IamRoles
) -> None:
    aws.answer("SimulatePrincipalPolicy", simulated("implicitDeny", **BOUNDARY))
    Stored([statement()]).answer(aws)

    found = roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn)

    assert isinstance(found, UndeterminedDecision)
    assert found.possible == {ALLOWED, LIMITED}


def test_every_page_of_the_role_policies_is_read(aws: StubbedAws, roles: IamRoles) -> None:
    aws.answer("SimulatePrincipalPolicy", simulated("explicitDeny", **MISSING))
    Stored([statement("Deny")], [statement()]).answer(aws)
    aws.answer(
        "ListRolePolicies",
        {"PolicyNames": ["other"], "IsTruncated": True, "Marker": "m"},
        {"PolicyNames": [INLINE], "IsTruncated": False},
    )

    assert roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn) is EXPLICIT
    assert aws.counts["ListRolePolicies"] == 2
    assert aws.counts["GetRolePolicy"] == 2


@pytest.mark.parametrize(
    ("operation", "subject"),
    [
        ("ListRolePolicies", "EMR_DefaultRole"),
        ("ListAttachedRolePolicies", "EMR_DefaultRole"),
        ("GetRolePolicy", f"{INLINE} of EMR_DefaultRole"),
        ("GetRole", "EMR_DefaultRole"),
        ("GetPolicy", ATTACHED_ARN),
        ("GetPolicyVersion", ATTACHED_ARN),
    ],
)
@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_unreadable_role_policy_is_unresolved(
    aws: StubbedAws, roles: IamRoles, operation: str, subject: str, code: str
) -> None:
    aws.answer("SimulatePrincipalPolicy", simulated("allowed", **WITHIN_BOUNDARY))
    Stored([statement()], [statement()], [statement()]).answer(aws)
    aws.answer(operation, AwsError(code))

    found = roles.simulate(SERVICE_ROLE_ARN, "kms:DescribeKey", KEY.arn)

    reason = f"iam:{operation} on {subject} answered {code}"
    assert found == Unresolved(reason, transient=code == "Throttling")
