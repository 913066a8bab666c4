from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from sandbox import Sandbox

PUBLISH = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
USE_KEY = {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"}


@pytest.fixture
def topic(sandbox: Sandbox, key: str, bucket: str) -> str:
    made = sandbox.client("sns").create_topic(Name=bucket, Attributes={"KmsMasterKeyId": key})
    arn: str = made["TopicArn"]
    return arn


def code(sandbox: Sandbox, topic: str, credentials: dict[str, str]) -> str:
    with pytest.raises(ClientError) as caught:
        sandbox.client("sns", **credentials).publish(TopicArn=topic, Message="x")
    return caught.value.response["Error"]["Code"]


def test_publishing_requires_permission_on_the_key(
    sandbox: Sandbox, topic: str, role: Callable[..., dict[str, str]]
) -> None:
    half = USE_KEY | {"Action": ["kms:GenerateDataKey"]}

    assert code(sandbox, topic, role(PUBLISH)) == "KMSAccessDenied"
    assert code(sandbox, topic, role(PUBLISH, half)) == "KMSAccessDenied"
    sandbox.client("sns", **role(PUBLISH, USE_KEY)).publish(TopicArn=topic, Message="x")


def test_publishing_with_a_disabled_key_fails(sandbox: Sandbox, topic: str, key: str) -> None:
    sandbox.client("kms").disable_key(KeyId=key)

    assert code(sandbox, topic, {}) == "KMSDisabled"


def test_topic_without_a_key_requires_only_publish(
    sandbox: Sandbox, bucket: str, role: Callable[..., dict[str, str]]
) -> None:
    topic = sandbox.client("sns").create_topic(Name=f"plain-{bucket}")["TopicArn"]

    sandbox.client("sns", **role(PUBLISH)).publish(TopicArn=topic, Message="x")
