"""Keys: what the patches add to MiniStack, and MiniStack's behaviour that the guard relies on."""

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
def test_aws_managed_key_exists_on_first_use(kms: KMSClient, service: str) -> None:
    key = kms.describe_key(KeyId=f"alias/aws/{service}")["KeyMetadata"]

    assert key["KeyManager"] == "AWS"
    assert key["KeyState"] == "Enabled"
    assert key["KeySpec"] == "SYMMETRIC_DEFAULT"
    alias_arn = f"arn:aws:kms:us-east-1:111122223333:alias/aws/{service}"
    assert kms.describe_key(KeyId=alias_arn)["KeyMetadata"]["Arn"] == key["Arn"]
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyManager"] == "AWS"


def test_changes_to_an_aws_managed_key_are_refused(kms: KMSClient) -> None:
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


def test_service_without_an_aws_managed_key_has_none(kms: KMSClient) -> None:
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId="alias/aws/nonsense")


def test_customer_managed_key_is_found_by_id_arn_alias_and_alias_arn(
    kms: KMSClient, key: str, bucket: str
) -> None:
    alias = f"alias/{bucket}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)

    for name in (key, key.rpartition("/")[2], alias, key.rpartition(":")[0] + f":{alias}"):
        metadata = kms.describe_key(KeyId=name)["KeyMetadata"]
        assert (metadata["Arn"], metadata["KeyManager"]) == (key, "CUSTOMER")


def test_key_of_another_region_is_not_found(sandbox: Sandbox, key: str) -> None:
    elsewhere = sandbox.client("kms", region_name="eu-west-1")

    with pytest.raises(elsewhere.exceptions.NotFoundException):
        elsewhere.describe_key(KeyId=key)


def test_default_key_policy_delegates_to_the_account(kms: KMSClient, key: str) -> None:
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])

    assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert policy["Statement"][0]["Action"] == "kms:*"


def test_key_policy_is_returned_as_it_was_put(kms: KMSClient, key: str) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})

    kms.put_key_policy(KeyId=key, Policy=policy)

    assert kms.get_key_policy(KeyId=key)["Policy"] == policy


def test_key_state_follows_the_calls_that_change_it(kms: KMSClient, key: str) -> None:
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
def test_spec_and_usage_of_a_key_are_described(kms: KMSClient, spec: Any, usage: Any) -> None:
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]

    key = kms.describe_key(KeyId=made)["KeyMetadata"]
    assert (key["KeySpec"], key["KeyUsage"]) == (spec, usage)


def test_id_of_a_multi_region_key_begins_with_mrk(kms: KMSClient) -> None:
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
