"""Keys: what the account adds to MiniStack, and what the guard relies on besides."""

# ruff: noqa: ANN401 - requests and answers are what AWS takes and gives

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

    from sandbox import Sandbox


@pytest.fixture
def kms(sandbox: Sandbox) -> KMSClient:
    client: KMSClient = sandbox.client("kms")
    return client


@pytest.mark.parametrize("service", ["s3", "ebs", "sns", "elasticmapreduce"])
def test_an_aws_managed_key_is_there_when_it_is_asked_for(kms: KMSClient, service: str) -> None:
    key = kms.describe_key(KeyId=f"alias/aws/{service}")["KeyMetadata"]

    assert key["KeyManager"] == "AWS"
    assert key["KeyState"] == "Enabled"
    assert key["KeySpec"] == "SYMMETRIC_DEFAULT"
    alias_arn = f"arn:aws:kms:us-east-1:111122223333:alias/aws/{service}"
    assert kms.describe_key(KeyId=alias_arn)["KeyMetadata"]["Arn"] == key["Arn"]
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyManager"] == "AWS"


def test_nobody_changes_an_aws_managed_key(kms: KMSClient) -> None:
    key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"]

    changes: list[Callable[[], object]] = [
        lambda: kms.disable_key(KeyId=key),
        lambda: kms.schedule_key_deletion(KeyId=key),
        lambda: kms.put_key_policy(KeyId=key, Policy="{}"),
    ]
    for change in changes:
        with pytest.raises(ClientError) as caught:
            change()
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_there_is_no_aws_managed_key_of_a_service_that_has_none(kms: KMSClient) -> None:
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId="alias/aws/nonsense")


def test_a_customers_key_is_found_by_id_arn_alias_and_alias_arn(
    kms: KMSClient, key: str, bucket: str
) -> None:
    alias = f"alias/{bucket}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)

    for name in (key, key.rpartition("/")[2], alias, key.rpartition(":")[0] + f":{alias}"):
        metadata = kms.describe_key(KeyId=name)["KeyMetadata"]
        assert (metadata["Arn"], metadata["KeyManager"]) == (key, "CUSTOMER")


def test_a_key_of_another_region_is_not_found(sandbox: Sandbox, key: str) -> None:
    elsewhere = sandbox.client("kms", region_name="eu-west-1")

    with pytest.raises(elsewhere.exceptions.NotFoundException):
        elsewhere.describe_key(KeyId=key)


def test_the_default_policy_delegates_to_the_account(kms: KMSClient, key: str) -> None:
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])

    assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert policy["Statement"][0]["Action"] == "kms:*"


def test_a_policy_that_was_put_is_returned(kms: KMSClient, key: str) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})

    kms.put_key_policy(KeyId=key, Policy=policy)

    assert kms.get_key_policy(KeyId=key)["Policy"] == policy


def test_the_state_of_a_key_follows_what_is_done_to_it(kms: KMSClient, key: str) -> None:
    def state() -> str:
        return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]

    kms.disable_key(KeyId=key)
    assert state() == "Disabled"
    kms.schedule_key_deletion(KeyId=key)
    assert state() == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert state() == "Disabled"
    kms.enable_key(KeyId=key)
    assert state() == "Enabled"


@pytest.mark.parametrize(
    ("spec", "usage"),
    [("RSA_2048", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "SIGN_VERIFY"),
     ("HMAC_256", "GENERATE_VERIFY_MAC")],
)  # fmt: skip
def test_other_kinds_of_keys_are_told_apart(kms: KMSClient, spec: Any, usage: Any) -> None:
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]

    key = kms.describe_key(KeyId=made)["KeyMetadata"]
    assert (key["KeySpec"], key["KeyUsage"]) == (spec, usage)


def test_a_multi_region_key_has_an_id_that_says_so(kms: KMSClient) -> None:
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]

    assert key["MultiRegion"] is True
    assert key["KeyId"].startswith("mrk-")


def test_permission_on_a_key_covers_its_alias(
    sandbox: Sandbox,
    kms: KMSClient,
    key: str,
    bucket: str,
    role: Callable[..., dict[str, str]],
) -> None:
    kms.create_alias(AliasName=f"alias/{bucket}", TargetKeyId=key)
    allow = {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": key}
    other = {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": key[:-1] + "_"}

    described = sandbox.client("kms", **role(allow)).describe_key(KeyId=f"alias/{bucket}")
    assert described["KeyMetadata"]["Arn"] == key
    with pytest.raises(ClientError) as caught:
        sandbox.client("kms", **role(other)).describe_key(KeyId=f"alias/{bucket}")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
