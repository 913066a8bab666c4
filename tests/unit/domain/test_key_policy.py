from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.iam_policy import KeyUse, Truth
from emr_log_guard.domain.key_policy import evaluate_key_policy
from tests.unit.builders import ACCOUNT, KEY, OTHER_ACCOUNT

ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/EMR_DefaultRole"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
USE = KeyUse(ROLE, "kms:DescribeKey", KEY.arn)
NO, UNKNOWN, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


def allow(**elements: object) -> dict[str, object]:
    """Write a statement that allows the role everything, but for the given elements."""
    return {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": "kms:*",
        "Resource": "*",
        **elements,
    }


def deny(**elements: object) -> dict[str, object]:
    return {**allow(**elements), "Effect": "Deny"}


def verdict(*statements: object, use: KeyUse = USE) -> tuple[Truth, Truth, Truth]:
    found = evaluate_key_policy({"Version": "2012-10-17", "Statement": [*statements]}, use)
    return found.allows, found.delegates, found.denies


@pytest.mark.parametrize(
    ("principal", "allows", "delegates"),
    [
        ({"AWS": ROLE}, YES, NO),
        ({"AWS": [f"arn:aws:iam::{OTHER_ACCOUNT}:root", ROLE]}, YES, NO),
        ({"AWS": "*"}, YES, NO),
        ("*", YES, NO),
        ({"AWS": ROOT}, NO, YES),
        ({"AWS": ACCOUNT}, NO, YES),
        ({"AWS": [ROOT, ROLE]}, YES, YES),
        ({"AWS": [ACCOUNT, "*"]}, YES, YES),
        ({"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}, NO, NO),
        ({"AWS": OTHER_ACCOUNT}, NO, NO),
        ({"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}, NO, NO),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/EMR_DefaultRole"}, NO, NO),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}, NO, NO),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/EMR_DefaultRole"}, NO, NO),
        ({"AWS": "AROAEXAMPLEOFADELETEDROLE"}, NO, NO),
        ({"AWS": []}, NO, NO),
        ({"Service": "elasticmapreduce.amazonaws.com"}, NO, NO),
        ({"Service": "*"}, NO, NO),
        ({"Federated": ROLE}, NO, NO),
        ({}, NO, NO),
        (None, NO, NO),
    ],
)
def test_principal_allows_the_role_delegates_to_its_account_or_does_neither(
    principal: object, allows: Truth, delegates: Truth
) -> None:
    assert verdict(allow(Principal=principal)) == (allows, delegates, NO)


@pytest.mark.parametrize(
    ("principal", "denies"),
    [
        ({"AWS": ROLE}, YES),
        ({"AWS": "*"}, YES),
        ("*", YES),
        ({"AWS": ROOT}, YES),
        ({"AWS": ACCOUNT}, YES),
        ({"AWS": OTHER_ACCOUNT}, NO),
        ({"Service": "s3.amazonaws.com"}, NO),
    ],
)
def test_deny_on_the_account_applies_to_its_roles(principal: object, denies: Truth) -> None:
    assert verdict(deny(Principal=principal)) == (NO, NO, denies)


def test_allow_and_deny_are_both_reported() -> None:
    assert verdict(allow(), deny(), allow(Principal={"AWS": ROOT})) == (YES, YES, YES)


def test_account_root_of_a_role_is_in_the_partition_of_the_role() -> None:
    use = KeyUse(f"arn:aws-cn:iam::{ACCOUNT}:role/r", "kms:DescribeKey", KEY.arn)

    here = verdict(allow(Principal={"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}), use=use)

    assert here == (NO, YES, NO)


def test_only_the_statement_that_applies_to_the_role_counts() -> None:
    assert verdict(allow(Action="kms:Decrypt"), allow(), allow(Principal="nobody")) == (YES, NO, NO)


@pytest.mark.parametrize(
    ("action", "applies"),
    [
        ("kms:DescribeKey", YES),
        ("KMS:describekey", YES),
        ("kms:*", YES),
        ("*", YES),
        ("kms:Describe*", YES),
        ("kms:Describe???", YES),
        (["kms:Encrypt", "kms:Desc*"], YES),
        ("kms:Describe??", NO),
        ("kms:Describe", NO),
        ("kms:DescribeKeyX", NO),
        ("kms.DescribeKey", NO),
        ("kms:GenerateDataKey*", NO),
        ([], NO),
        ([1, None], NO),
        (None, NO),
    ],
)
def test_actions_match_with_wildcards_ignoring_case(action: object, applies: Truth) -> None:
    assert verdict(allow(Action=action)) == (applies, NO, NO)
    assert verdict(deny(Action=action)) == (NO, NO, applies)


@pytest.mark.parametrize(
    ("not_action", "applies"),
    [
        ("kms:DescribeKey", NO),
        ("kms:*", NO),
        (["kms:Decrypt", "kms:Desc*"], NO),
        ("kms:Decrypt", YES),
        ([], YES),
    ],
)
def test_not_action_matches_every_other_action(not_action: object, applies: Truth) -> None:
    statement = allow(NotAction=not_action)
    del statement["Action"]

    assert verdict(statement) == (applies, NO, NO)


@pytest.mark.parametrize(
    ("elements", "applies"),
    [
        ({"Resource": "*"}, YES),
        ({"Resource": KEY.arn}, YES),
        ({"Resource": [KEY.arn + "0", "arn:aws:kms:*:*:key/*"]}, YES),
        ({"Resource": KEY.arn + "0"}, NO),
        ({"Resource": "arn:aws:kms:eu-west-1:111122223333:alias/*"}, NO),
        ({"NotResource": KEY.arn}, NO),
        ({"NotResource": "*"}, NO),
        ({"NotResource": KEY.arn + "0"}, YES),
    ],
)
def test_statement_applies_when_its_resource_matches_the_key(
    elements: Mapping[str, object], applies: Truth
) -> None:
    assert verdict(allow(**elements)) == (applies, NO, NO)


def test_statement_without_a_resource_applies_to_the_key() -> None:
    statement = allow()
    del statement["Resource"]

    assert verdict(statement) == (YES, NO, NO)


def test_statement_with_not_principal_is_undetermined() -> None:
    statement = allow(NotPrincipal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, Sid="Others")
    del statement["Principal"]

    found = evaluate_key_policy({"Statement": [{**statement, "Effect": "Deny"}]}, USE)

    assert (found.allows, found.delegates, found.denies) == (NO, NO, UNKNOWN)
    assert "Deny statement Others" in found.unresolved
    assert found.unresolved.endswith("its NotPrincipal")


def test_not_principal_for_another_action_is_ignored() -> None:
    found = evaluate_key_policy(
        {"Statement": deny(NotPrincipal={"AWS": ROLE}, Action="kms:Decrypt")}, USE
    )

    assert (found.denies, found.unresolved) == (NO, "")


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({}, YES),
        ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, YES),
        ({"StringEquals": {"KMS:calleraccount": [OTHER_ACCOUNT, ACCOUNT]}}, YES),
        ({"StringEquals": {"kms:CallerAccount": OTHER_ACCOUNT}}, NO),
        ({"StringEquals": {"kms:CallerAccount": "1111*"}}, NO),
        ({"StringEquals": {"kms:CallerAccount": []}}, NO),
        ({"StringEquals": {"kms:CallerAccount": [None, {}]}}, NO),
        ({"StringNotLike": {"kms:CallerAccount": [None, {}]}}, YES),
        ({"StringNotEquals": {"kms:CallerAccount": ACCOUNT}}, NO),
        ({"StringNotEquals": {"kms:CallerAccount": [OTHER_ACCOUNT, ACCOUNT]}}, NO),
        ({"StringNotEquals": {"kms:CallerAccount": OTHER_ACCOUNT}}, YES),
        ({"StringLike": {"kms:CallerAccount": "1111????3333"}}, YES),
        ({"StringLike": {"kms:CallerAccount": "4444*"}}, NO),
        ({"StringNotLike": {"aws:PrincipalArn": "*:role/service-role/*"}}, NO),
        ({"StringEquals": {"aws:PrincipalType": "AssumedRole"}}, YES),
        ({"StringEquals": {"aws:PrincipalType": "assumedrole"}}, NO),
        ({"StringEqualsIgnoreCase": {"aws:PrincipalType": "assumedrole"}}, YES),
        ({"StringNotEqualsIgnoreCase": {"aws:PrincipalType": "assumedrole"}}, NO),
        ({"StringEqualsIfExists": {"aws:PrincipalAccount": ACCOUNT}}, YES),
        ({"StringEqualsIfExists": {"aws:PrincipalAccount": OTHER_ACCOUNT}}, NO),
        ({"ArnEquals": {"aws:PrincipalArn": ROLE}}, YES),
        ({"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}}, YES),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}}, YES),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/*"}}, NO),
        ({"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}}, NO),
        ({"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/admin"}}, YES),
        ({"Bool": {"aws:SecureTransport": "true"}}, YES),
        ({"Bool": {"aws:SecureTransport": "True"}}, YES),
        ({"Bool": {"aws:SecureTransport": True}}, YES),
        ({"Bool": {"aws:SecureTransport": [True]}}, YES),
        ({"Bool": {"aws:SecureTransport": "false"}}, NO),
        ({"Bool": {"aws:SecureTransport": False}}, NO),
        ({"BoolIfExists": {"aws:SecureTransport": "false"}}, NO),
        ({"StringEquals": {"kms:CallerAccount": int(ACCOUNT)}}, YES),
        ({"StringEquals": {"aws:SecureTransport": True}}, YES),
        (
            {
                "StringEquals": {"kms:CallerAccount": ACCOUNT, "aws:PrincipalType": "AssumedRole"},
                "Bool": {"aws:SecureTransport": "true"},
            },
            YES,
        ),
        (
            {
                "StringEquals": {"kms:CallerAccount": ACCOUNT, "aws:PrincipalType": "User"},
                "Bool": {"aws:SecureTransport": "true"},
            },
            NO,
        ),
        ({"StringEquals": {"aws:RequestedRegion": KEY.region}}, YES),
        ({"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", KEY.region]}}, NO),
        ({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}, YES),
        ({"Bool": {"aws:PrincipalIsAWSService": "true"}}, NO),
        ({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}, NO),
        ({"StringEqualsIfExists": {"kms:ViaService": "s3.amazonaws.com"}}, YES),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, UNKNOWN),
        ({"StringEquals": {"kms:EncryptionContext:aws:s3:arn": "*"}}, UNKNOWN),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, UNKNOWN),
        ({"Null": {"aws:PrincipalArn": "false"}}, YES),
        ({"Null": {"aws:PrincipalArn": True}}, NO),
        ({"Null": {"aws:PrincipalTag/team": "true"}}, UNKNOWN),
        ({"ForAnyValue:StringEquals": {"aws:PrincipalArn": ROLE}}, YES),
        ({"ForAllValues:StringNotEquals": {"aws:PrincipalArn": ROLE}}, NO),
        ({"ANewOperator": {"aws:PrincipalArn": ROLE}}, UNKNOWN),
        ({"StringEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}}, UNKNOWN),
        (
            {"StringEquals": {"kms:CallerAccount": ACCOUNT, "aws:PrincipalOrgID": "o-1"}},
            UNKNOWN,
        ),
        (
            {
                "StringEquals": {"aws:PrincipalOrgID": "o-1"},
                "Bool": {"aws:SecureTransport": "false"},
            },
            NO,
        ),
    ],
)
def test_condition_is_evaluated_when_its_keys_are_known(
    condition: Mapping[str, object], applies: Truth
) -> None:
    assert verdict(allow(Condition=condition)) == (applies, NO, NO)
    assert verdict(deny(Condition=condition)) == (NO, NO, applies)
    assert verdict(allow(Condition=condition, Principal={"AWS": ROOT})) == (NO, applies, NO)


ABSENT = {
    "StringEquals": NO,
    "StringNotEquals": YES,
    "StringLike": NO,
    "StringNotLike": YES,
    "StringEqualsIgnoreCase": NO,
    "StringNotEqualsIgnoreCase": YES,
    "StringEqualsIfExists": YES,
    "StringNotEqualsIfExists": YES,
    "StringLikeIfExists": YES,
    "ForAllValues:StringEquals": YES,
    "ForAllValues:StringNotEquals": YES,
    "ForAnyValue:StringEquals": NO,
    "ForAnyValue:StringNotEquals": NO,
    "ForAnyValue:StringEqualsIfExists": UNKNOWN,
}


@pytest.mark.parametrize(("operator", "applies"), ABSENT.items())
def test_kms_via_service_is_absent_when_emr_describes_the_key(
    operator: str, applies: Truth
) -> None:
    """What an absent key means is documented for each operator.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    condition = {operator: {"kms:ViaService": f"s3.{KEY.region}.amazonaws.com"}}

    assert verdict(allow(Condition=condition)) == (applies, NO, NO)


@pytest.mark.parametrize(("value", "applies"), [("true", YES), ("false", NO)])
def test_null_operator_tests_whether_kms_via_service_is_absent(value: str, applies: Truth) -> None:
    condition = {"Null": {"kms:ViaService": value}}

    assert verdict(allow(Condition=condition)) == (applies, NO, NO)


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({"StringEquals": {"kms:ViaService": f"s3.{KEY.region}.amazonaws.com"}}, YES),
        ({"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}, YES),
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, NO),
        ({"StringEquals": {"kms:ViaService": f"ec2.{KEY.region}.amazonaws.com"}}, NO),
        ({"StringNotEquals": {"kms:ViaService": f"ec2.{KEY.region}.amazonaws.com"}}, YES),
        ({"Null": {"kms:ViaService": "false"}}, YES),
        ({"Bool": {"aws:ViaAWSService": "true"}}, YES),
    ],
)
def test_kms_via_service_is_s3_for_a_data_key_of_a_log_object(
    condition: Mapping[str, object], applies: Truth
) -> None:
    use = KeyUse(ROLE, "kms:GenerateDataKey", KEY.arn)

    assert verdict(allow(Condition=condition), use=use) == (applies, NO, NO)
    assert verdict(allow(), deny(Condition=condition), use=use) == (YES, NO, applies)


def test_kms_via_service_of_an_undocumented_partition_is_undetermined() -> None:
    key = f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    role = f"arn:aws-cn:iam::{ACCOUNT}:role/EMR_EC2_DefaultRole"
    condition = {"StringEquals": {"kms:ViaService": "s3.cn-north-1.amazonaws.com"}}
    statement = allow(Condition=condition, Principal={"AWS": role})

    found = verdict(statement, use=KeyUse(role, "kms:GenerateDataKey", key))

    assert found == (UNKNOWN, NO, NO)


def test_principal_or_key_without_an_arn_adds_nothing_to_the_context() -> None:
    use = KeyUse("role", "kms:DescribeKey", "key")

    assert not {"kms:CallerAccount", "aws:RequestedRegion"} & set(use.context)


@pytest.mark.parametrize(
    ("element", "applies"),
    [
        ({"Resource": f"arn:aws:kms:*:{ACCOUNT}:key/${{aws:PrincipalTag/key}}"}, UNKNOWN),
        ({"Resource": "arn:aws:s3:::logs-${aws:PrincipalTag/key}"}, NO),
        ({"Resource": ["arn:aws:kms:*:*:key/${aws:PrincipalTag/key}", "*"]}, YES),
        ({"NotResource": "arn:aws:kms:*:*:key/${aws:PrincipalTag/key}"}, UNKNOWN),
    ],
)
def test_policy_variable_that_may_match_the_key_is_undetermined(
    element: Mapping[str, object], applies: Truth
) -> None:
    found = evaluate_key_policy({"Statement": allow(**element)}, USE)

    assert found.allows is applies
    assert found.unresolved.endswith("a policy variable in its resource") is (applies is UNKNOWN)


def test_deny_of_plain_http_does_not_apply() -> None:
    plain_http = {"Bool": {"aws:SecureTransport": "false"}}

    assert verdict(allow(), deny(Principal="*", Condition=plain_http)) == (YES, NO, NO)


def test_undetermined_result_names_the_statements_and_unknown_conditions() -> None:
    condition = {
        "StringEquals": {"aws:SourceVpc": "vpc-1", "aws:PrincipalOrgID": "o-1"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    found = evaluate_key_policy(
        {
            "Statement": [
                allow(Condition=condition),
                deny(Condition={"Null": {"aws:TokenIssueTime": "false"}}, Sid="Fresh"),
                allow(Principal={"AWS": OTHER_ACCOUNT}, Condition=condition, Sid="Irrelevant"),
            ]
        },
        USE,
    )

    assert found.unresolved == (
        "the key policy's Allow statement without a Sid cannot be evaluated without the request: "
        "its condition on aws:PrincipalOrgID, aws:SourceVpc; "
        "the key policy's Deny statement Fresh cannot be evaluated without the request: "
        "its condition on aws:TokenIssueTime"
    )


def test_undetermined_not_principal_does_not_name_known_conditions() -> None:
    statement = deny(
        NotPrincipal={"AWS": ROOT}, Condition={"Bool": {"aws:SecureTransport": "true"}}
    )

    found = evaluate_key_policy({"Statement": statement}, USE)

    assert found.unresolved.endswith("its NotPrincipal")


def test_certain_statement_outweighs_an_undetermined_one() -> None:
    ours = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}

    assert verdict(allow(Condition=ours), allow()) == (YES, NO, NO)
    assert verdict(deny(), deny(Condition=ours)) == (NO, NO, YES)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Statement": None},
        {"Statement": []},
        {"Statement": "Allow"},
        {"Statement": ["Allow", None, 3]},
        {"Statement": {}},
        {"Statement": [{**allow(), "Effect": "allow"}]},
        {"Statement": [{**allow(), "Effect": None}]},
        {"Statement": [{"Effect": "Allow"}]},
    ],
)
def test_document_without_a_valid_statement_grants_nothing(document: Mapping[str, object]) -> None:
    found = evaluate_key_policy(document, USE)

    assert (found.allows, found.delegates, found.denies, found.unresolved) == (NO, NO, NO, "")


def test_single_statement_does_not_need_a_list() -> None:
    assert evaluate_key_policy({"Statement": allow()}, USE).allows is YES


@pytest.mark.parametrize("role_arn", ["", "EMR_DefaultRole"])
def test_principal_without_an_arn_gets_no_delegation_from_an_account(role_arn: str) -> None:
    use = KeyUse(role_arn, "kms:DescribeKey", KEY.arn)

    assert verdict(allow(Principal={"AWS": [ROOT, ACCOUNT]}), use=use) == (NO, NO, NO)


SCALARS = st.sampled_from([None, True, 0, 1.5, "", "*", "Allow", "Deny", ROLE, ROOT])
JUNK = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.sampled_from(["AWS", "StringLike", "Bool", "?"]), SCALARS, max_size=2)
)
CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "ArnNotLike", "Bool", "?"]),
    st.dictionaries(st.sampled_from(["aws:PrincipalArn", "kms:ViaService", "?"]), JUNK, max_size=2),
    max_size=2,
)
STATEMENTS = st.dictionaries(
    st.sampled_from(["Effect", "Principal", "NotPrincipal", "Action", "Resource", "Condition"]),
    JUNK | CONDITIONS,
)


@given(st.fixed_dictionaries({"Statement": JUNK | STATEMENTS | st.lists(STATEMENTS, max_size=3)}))
def test_any_document_can_be_evaluated(document: dict[str, object]) -> None:
    found = evaluate_key_policy(document, USE)

    assert {found.allows, found.delegates, found.denies} <= set(Truth)
    assert bool(found.unresolved) or UNKNOWN not in {found.allows, found.delegates, found.denies}
