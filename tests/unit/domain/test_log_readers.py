from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.log_readers import (
    KeyWithPolicy,
    ReaderChange,
    Readers,
    compare_readers,
    readers_of,
)
from tests.unit.builders import ACCOUNT, KEY, OTHER_ACCOUNT

FORMER = KEY.arn.replace("1234abcd", "0000abcd")
READER = f"arn:aws:iam::{ACCOUNT}:role/LogReaders"
USER = f"arn:aws:iam::{ACCOUNT}:user/Ada"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
OTHER_ROOT = f"arn:aws:iam::{OTHER_ACCOUNT}:root"
VPC = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}
VIA_S3 = {"StringEquals": {"kms:ViaService": f"s3.{KEY.region}.amazonaws.com"}}
VIA_EBS = {"StringEquals": {"kms:ViaService": f"ec2.{KEY.region}.amazonaws.com"}}


def allow(*principals: str, action: object = "kms:Decrypt", **more: object) -> dict[str, object]:
    """Write a statement that allows principals to decrypt."""
    principal = {"AWS": list(principals)}
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}


def deny(*principals: str, **more: object) -> dict[str, object]:
    return {**allow(*principals, **more), "Effect": "Deny"}


def key(*statements: Mapping[str, object], arn: str = KEY.arn) -> KeyWithPolicy:
    return KeyWithPolicy(arn, {"Version": "2012-10-17", "Statement": list(statements)})


def change(
    former: Sequence[Mapping[str, object]], new: Sequence[Mapping[str, object]]
) -> tuple[list[str], list[str], list[str]]:
    """Return who loses access, which accounts decide, and who is undetermined."""
    found = compare_readers(key(*former, arn=FORMER), key(*new))
    return (
        list(found.lost),
        list(found.by_identity_policies),
        [each.principal for each in found.undetermined],
    )


@pytest.mark.parametrize("principal", [READER, USER, "*", "AROAEXAMPLE"])
def test_principal_that_only_the_former_policy_allows_loses_access(principal: str) -> None:
    assert change([allow(principal)], [allow("arn:aws:iam::1:role/x")]) == ([principal], [], [])


def test_principal_may_be_a_single_string() -> None:
    anybody = allow() | {"Principal": "*"}

    assert change([anybody], []) == (["*"], [], [])
    assert change([anybody, allow(READER)], [anybody]) == ([], [], [])


def test_service_that_only_the_former_policy_allows_loses_access() -> None:
    service = {"Principal": {"Service": "cloudfront.amazonaws.com"}}

    assert change([allow(**service)], []) == (["cloudfront.amazonaws.com"], [], [])
    assert change([allow(**service)], [allow(**service)]) == ([], [], [])


@pytest.mark.parametrize(
    "new",
    [
        allow(READER),
        allow(READER, action="kms:*"),
        allow("*"),
        allow(READER, Condition=VIA_S3),
        allow("*", Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}} | VIA_S3),
    ],
)
def test_principal_that_both_policies_allow_keeps_access(new: Mapping[str, object]) -> None:
    assert change([allow(READER)], [new]) == ([], [], [])


@pytest.mark.parametrize(
    "new",
    [
        allow(READER, action="kms:Encrypt"),
        allow(READER, Condition=VIA_EBS),
        allow(OTHER_ROOT),
        allow(OTHER_ACCOUNT),
    ],
)
def test_statement_about_something_else_gives_no_access(new: Mapping[str, object]) -> None:
    assert change([allow(READER)], [new]) == ([READER], [], [])


@pytest.mark.parametrize("former", [allow(READER, action="kms:Encrypt"), deny(READER)])
def test_principal_without_access_loses_nothing(former: Mapping[str, object]) -> None:
    assert change([former], []) == ([], [], [])


def test_principal_that_the_new_policy_denies_loses_access() -> None:
    assert change([allow(READER)], [allow(READER), deny(READER)]) == ([READER], [], [])


def test_identity_policies_decide_where_both_policies_delegate() -> None:
    former, new = [allow(ROOT, action="kms:*")], [allow(ACCOUNT, action="kms:*")]

    assert change(former, new) == ([], [ROOT], [])
    assert change(new, former) == ([], [ROOT], [])


def test_account_to_which_only_the_former_policy_delegates_loses_access() -> None:
    assert change([allow(ROOT, OTHER_ROOT)], [allow(OTHER_ROOT)]) == ([ROOT], [OTHER_ROOT], [])
    assert change([allow(ROOT)], [allow(ROOT), deny("*")]) == ([ROOT], [], [])


def test_principal_of_an_account_to_which_the_new_policy_delegates_is_undetermined() -> None:
    found = compare_readers(key(allow(READER), arn=FORMER), key(allow(ROOT)))

    [reader] = found.undetermined
    assert reader.principal == READER
    assert "identity policies" in reader.reason
    assert not found.lost


@pytest.mark.parametrize(
    ("former", "new"),
    [
        ([allow(READER)], [allow(READER, Condition=VPC)]),
        ([allow(READER)], [allow(READER), deny(READER, Condition=VPC)]),
        ([allow(READER)], [allow(ROOT, Condition=VPC)]),
        ([allow(READER, Condition=VPC)], []),
        ([allow(READER, Condition=VPC)], [allow(ROOT)]),
    ],
)
def test_principal_is_undetermined_where_a_condition_decides(
    former: Sequence[Mapping[str, object]], new: Sequence[Mapping[str, object]]
) -> None:
    found = compare_readers(key(*former, arn=FORMER), key(*new))

    assert not found.lost
    [reader] = found.undetermined
    assert reader.principal == READER
    assert "aws:SourceVpc" in reader.reason


@pytest.mark.parametrize(
    ("former", "new"),
    [
        ([allow(ROOT)], [allow(ROOT, Condition=VPC)]),
        ([allow(ROOT, Condition=VPC)], []),
        ([allow(ROOT)], [allow(ROOT, Condition={"ArnLike": {"aws:PrincipalArn": "*/Logs"}})]),
    ],
)
def test_account_is_undetermined_where_a_condition_decides(
    former: Sequence[Mapping[str, object]], new: Sequence[Mapping[str, object]]
) -> None:
    assert change(former, new) == ([], [], [ROOT])


def test_conditional_delegation_that_the_new_policy_repeats_is_for_identity_policies() -> None:
    assert change([allow(ROOT, Condition=VPC)], [allow(ROOT)]) == ([], [ROOT], [])


def test_principal_that_only_the_new_policy_denies_may_read_now_by_identity_policies() -> None:
    former, new = [allow(ROOT)], [allow(ROOT), deny(READER)]

    assert change(former, new) == ([], [ROOT], [READER])


@pytest.mark.parametrize("denied", [deny(READER, Condition=VPC), deny(READER, action="kms:Sign")])
def test_denial_that_does_not_decide_is_not_reported(denied: Mapping[str, object]) -> None:
    assert change([allow(ROOT)], [allow(ROOT), denied]) == ([], [ROOT], [])


def test_not_principal_is_undetermined() -> None:
    statement = allow(NotPrincipal={"AWS": READER})

    [reader] = compare_readers(key(statement, arn=FORMER), key()).undetermined

    assert "NotPrincipal" in reader.principal
    assert "NotPrincipal" in reader.reason


def test_condition_on_the_kind_of_principal_is_evaluated() -> None:
    users = {"StringEquals": {"aws:PrincipalType": "User"}}

    assert change([allow(USER, READER)], [allow("*", Condition=users)]) == ([READER], [], [])


def test_reasons_of_undetermined_readers_are_those_of_their_own_statements() -> None:
    found = compare_readers(
        key(allow(READER), allow(USER, Condition=VPC, Sid="Guests"), arn=FORMER), key(allow(ROOT))
    )

    reader, user = found.undetermined
    assert "identity policies" in reader.reason
    assert "Guests" in user.reason


def test_readers_of_a_key_are_those_that_its_policy_allows() -> None:
    found = readers_of(
        key(
            allow(ROOT, action="kms:*"),
            allow(READER, USER),
            allow(OTHER_ACCOUNT, Condition=VPC),
            allow("*", action="kms:Encrypt"),
            deny(USER),
        )
    )

    assert found.allowed == (READER,)
    assert found.by_identity_policies == (ROOT,)
    assert [each.principal for each in found.undetermined] == [OTHER_ROOT]
    assert "aws:SourceVpc" in found.undetermined[0].reason


def test_policy_without_principals_has_no_readers() -> None:
    assert readers_of(key()) == Readers()
    assert compare_readers(key(), key()) == ReaderChange()


PRINCIPALS = st.sampled_from([READER, USER, ROOT, OTHER_ROOT, ACCOUNT, "*", "AROAEXAMPLE"])
STATEMENTS = st.builds(
    lambda effect, principals, condition: {
        **allow(*principals, Condition=condition),
        "Effect": effect,
    },
    st.sampled_from(["Allow", "Deny"]),
    st.lists(PRINCIPALS, min_size=1, max_size=3),
    st.sampled_from([{}, VPC, VIA_S3, VIA_EBS]),
)


@given(st.lists(STATEMENTS, max_size=4), st.lists(STATEMENTS, max_size=4))
def test_every_current_reader_is_lost_kept_or_undetermined(
    former: list[dict[str, object]], new: list[dict[str, object]]
) -> None:
    """Whoever can certainly read now is lost or undetermined, or can certainly read then."""
    found = compare_readers(key(*former, arn=FORMER), key(*new))
    now, then = readers_of(key(*former, arn=FORMER)), readers_of(key(*new))
    unknown = {each.principal for each in found.undetermined}
    everybody = "*" in then.allowed

    for principal in now.allowed:
        assert everybody or principal in {*found.lost, *unknown, *then.allowed}
    for account in now.by_identity_policies:
        assert account in {*found.lost, *unknown, *found.by_identity_policies}
    assert not {*found.lost} & {*then.allowed, *then.by_identity_policies}
    assert not unknown & {*found.lost, *found.by_identity_policies}


@given(st.lists(STATEMENTS, max_size=4))
def test_same_policy_changes_nothing_that_is_certain(
    statements: list[dict[str, object]],
) -> None:
    found = compare_readers(key(*statements), key(*statements))

    assert not found.lost
    assert found.by_identity_policies == readers_of(key(*statements)).by_identity_policies
