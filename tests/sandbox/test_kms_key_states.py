from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

    from sandbox import Sandbox

STATE = "sandbox:KeyState"


@pytest.fixture
def kms(sandbox: Sandbox) -> KMSClient:
    client: KMSClient = sandbox.client("kms")
    return client


def enter(kms: KMSClient, key: str, state: str) -> None:
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": STATE, "TagValue": state}])


def state_of(kms: KMSClient, key: str) -> str:
    return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


@pytest.mark.parametrize("state", ["Creating", "Unavailable", "Updating"])
def test_tag_sets_the_state_of_a_key_until_it_is_removed(
    kms: KMSClient, key: str, state: str
) -> None:
    kms.disable_key(KeyId=key)

    enter(kms, key, state)
    assert state_of(kms, key) == state

    kms.untag_resource(KeyId=key, TagKeys=[STATE])
    assert state_of(kms, key) == "Disabled"


def test_key_with_the_tag_not_found_is_hidden_until_it_is_removed(
    kms: KMSClient, key: str, bucket: str
) -> None:
    kms.create_alias(AliasName=f"alias/{bucket}", TargetKeyId=key)
    enter(kms, key, "NotFound")

    for identifier in (key, f"alias/{bucket}"):
        with pytest.raises(kms.exceptions.NotFoundException):
            kms.describe_key(KeyId=identifier)

    kms.untag_resource(KeyId=key, TagKeys=[STATE])
    assert state_of(kms, key) == "Enabled"


def test_latest_state_tag_applies(kms: KMSClient, key: str) -> None:
    for state in ("NotFound", "Creating", "Updating"):
        enter(kms, key, state)
    assert state_of(kms, key) == "Updating"

    kms.untag_resource(KeyId=key, TagKeys=[STATE])
    assert state_of(kms, key) == "Enabled"


def test_invalid_state_is_refused(kms: KMSClient, key: str) -> None:
    with pytest.raises(ClientError) as caught:
        enter(kms, key, "Unavailible")
    assert caught.value.response["Error"]["Code"] == "TagException"
    assert state_of(kms, key) == "Enabled"


def test_other_tags_have_no_effect_on_the_state(kms: KMSClient, key: str) -> None:
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "data"}])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "team", "TagValue": "data"}]

    kms.untag_resource(KeyId=key, TagKeys=["team"])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == []
    assert state_of(kms, key) == "Enabled"
