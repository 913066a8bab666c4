from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from sandbox import Sandbox

KEYS = {
    "Effect": "Allow",
    "Action": "kms:*",
    "Resource": "arn:aws:kms:*:111122223333:key/*",
}


@pytest.mark.parametrize(
    "alias", ["alias/none-such", "arn:aws:kms:us-east-1:111122223333:alias/none-such"]
)
def test_missing_alias_is_not_found(
    sandbox: Sandbox, role: Callable[..., dict[str, str]], alias: str
) -> None:
    kms = sandbox.client("kms", **role(KEYS))

    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId=alias)


def test_explicit_deny_applies_to_a_missing_alias(
    sandbox: Sandbox, role: Callable[..., dict[str, str]]
) -> None:
    deny = {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}
    kms = sandbox.client("kms", **role(KEYS, deny))

    with pytest.raises(ClientError) as caught:
        kms.describe_key(KeyId="alias/none-such")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_missing_keys_and_aliases_of_other_accounts_are_still_authorized(
    sandbox: Sandbox, role: Callable[..., dict[str, str]]
) -> None:
    kms = sandbox.client("kms", **role({**KEYS, "Resource": "arn:aws:kms:*:*:key/some"}))

    for identifier in (
        "00000000-0000-4000-8000-000000000000",
        "arn:aws:kms:us-east-1:999999999999:alias/none-such",
    ):
        with pytest.raises(ClientError) as caught:
            kms.describe_key(KeyId=identifier)
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_deleting_an_alias_requires_permission_on_the_alias(
    sandbox: Sandbox, role: Callable[..., dict[str, str]]
) -> None:
    kms = sandbox.client("kms", **role(KEYS))

    with pytest.raises(ClientError) as caught:
        kms.delete_alias(AliasName="alias/none-such")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
