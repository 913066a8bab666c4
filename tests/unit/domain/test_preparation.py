import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from emr_log_guard.domain.iam_policy import KeyUse, Truth
from emr_log_guard.domain.key_access import IdentityDecision, RoleKeyAccess
from emr_log_guard.domain.key_policy import evaluate_key_policy
from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.domain.preparation import Preparation, policy
from tests.unit.builders import a_preparation

SSE = "s3:x-amz-server-side-encryption"
KEY_ID = f"{SSE}-aws-kms-key-id"
CUSTOMER = f"{SSE}-customer-algorithm"


def statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    assert document["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = document["Statement"]
    return found


def conditions(preparation: Preparation) -> list[object]:
    return [each["Condition"] for each in preparation.bucket_policy_statements()]


def test_each_role_gets_one_action_on_the_key_and_nodes_may_write_logs() -> None:
    wanted = a_preparation()

    [describe] = statements(wanted.service_role_policy())
    encrypt, write = statements(wanted.node_role_policy())

    assert (describe["Action"], describe["Resource"]) == ("kms:DescribeKey", wanted.key_arn)
    assert (encrypt["Action"], encrypt["Resource"]) == ("kms:GenerateDataKey", wanted.key_arn)
    assert (write["Action"], write["Resource"]) == (
        "s3:PutObject",
        "arn:aws:s3:::example-logs/emr/*",
    )
    assert {each["Effect"] for each in (describe, encrypt, write)} == {"Allow"}


def test_preparation_without_a_log_location_contains_no_s3_permissions() -> None:
    wanted = a_preparation(location=None)

    assert "s3:" not in json.dumps(wanted.node_role_policy())
    assert wanted.bucket_policy_statements() == []


def test_key_policy_alone_allows_each_role_exactly_its_action() -> None:
    wanted = a_preparation()
    document = policy(*wanted.key_policy_statements())
    allowed = {
        (role, action)
        for role in (wanted.service_role_arn, wanted.node_role_arn)
        for action in ("kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt")
        if RoleKeyAccess(
            title="role",
            role_arn=role,
            action=action,
            identity=IdentityDecision.IMPLICIT_DENY,
            key_policy=evaluate_key_policy(document, KeyUse(role, action, wanted.key_arn)),
        ).evaluate(wanted.key_account)
        is True
    }

    assert allowed == {
        (wanted.service_role_arn, "kms:DescribeKey"),
        (wanted.node_role_arn, "kms:GenerateDataKey"),
    }


def test_key_policy_grants_nothing_to_other_roles() -> None:
    wanted = a_preparation()
    use = KeyUse("arn:aws:iam::111122223333:role/other", "kms:DescribeKey", wanted.key_arn)

    verdict = evaluate_key_policy(policy(*wanted.key_policy_statements()), use)

    assert (verdict.allows, verdict.delegates, verdict.denies) == (Truth.NO, Truth.NO, Truth.NO)


def test_bucket_policy_denies_each_wrong_encryption_in_its_own_statement() -> None:
    """Tests within one statement must all hold: one for both would refuse hardly anything."""
    wanted = a_preparation()

    assert conditions(wanted) == [
        {"StringNotEquals": {SSE: "aws:kms"}},
        {"StringNotEquals": {KEY_ID: wanted.key_arn}},
    ]
    for each in wanted.bucket_policy_statements():
        assert (each["Effect"], each["Principal"]) == ("Deny", "*")
        assert each["Action"] == "s3:PutObject"
        assert each["Resource"] == "arn:aws:s3:::example-logs/emr/*"


def test_bucket_policy_denies_only_explicit_wrong_encryption_when_the_key_is_the_default() -> None:
    wanted = a_preparation(default_key=True)

    assert conditions(wanted) == [
        {"Null": {SSE: "false"}, "StringNotEquals": {SSE: "aws:kms"}},
        {"Null": {KEY_ID: "false"}, "StringNotEquals": {KEY_ID: wanted.key_arn}},
        {"Null": {SSE: "false", KEY_ID: "true"}},
        {"Null": {CUSTOMER: "false"}},
    ]


def test_bucket_policy_without_a_folder_applies_to_cluster_folders_only() -> None:
    wanted = a_preparation(location=LogLocation("example-logs", ""))

    assert {each["Resource"] for each in wanted.bucket_policy_statements()} == {
        "arn:aws:s3:::example-logs/j-*"
    }


def test_special_characters_in_the_folder_are_escaped_in_policies() -> None:
    wanted = a_preparation(location=LogLocation("example-logs", "a*b?c${aws:username}/"))
    [_, write] = statements(wanted.node_role_policy())

    expected = "arn:aws:s3:::example-logs/a${*}b${?}c${$}{aws:username}/*"
    assert write["Resource"] == expected
    assert {each["Resource"] for each in wanted.bucket_policy_statements()} == {expected}


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_every_arn_is_in_the_partition_of_the_key(partition: str) -> None:
    usual = a_preparation()
    wanted = replace(
        usual,
        key_arn=usual.key_arn.replace("arn:aws:", f"arn:{partition}:"),
        service_role_arn=usual.service_role_arn.replace("arn:aws:", f"arn:{partition}:"),
        node_role_arn=usual.node_role_arn.replace("arn:aws:", f"arn:{partition}:"),
    )
    notified = json.dumps(
        [
            wanted.service_role_policy(),
            wanted.node_role_policy(),
            wanted.key_policy_statements(),
            wanted.bucket_policy_statements(),
        ]
    )

    assert set(re.findall(r"arn:([a-z-]+):", notified)) == {partition}


def test_names_of_policies_and_statements_differ_by_key_location_and_role() -> None:
    """What is put under the same name replaces what was there."""
    usual = a_preparation()
    other_key = replace(usual, key_arn=f"{usual.key_arn}0")
    other_place = replace(usual, location=LogLocation("example-logs", "other/"))
    other_roles = replace(usual, node_role_arn="arn:aws:iam::111122223333:role/nodes")

    assert usual.service_role_policy_name != other_key.service_role_policy_name
    assert len({each.node_role_policy_name for each in (usual, other_key, other_place)}) == 3
    assert sids(usual.bucket_policy_statements()).isdisjoint(
        sids(other_place.bucket_policy_statements())
    )
    assert sids(usual.key_policy_statements()) != sids(other_roles.key_policy_statements())
    assert sids(usual.bucket_policy_statements()) == sids(
        a_preparation().bucket_policy_statements()
    )


def sids(found: list[Mapping[str, Any]]) -> set[str]:
    names = {each["Sid"] for each in found}
    assert all(re.fullmatch(r"[A-Za-z0-9]+", name) for name in names)
    assert len(names) == len(found)
    return names
