"""CloudFormation applies a topic's KmsMasterKeyId property. Upstream: yes.

MiniStack's CloudFormation drops the property.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
"""

from typing import Any

from sandbox.emulator_patches.hooks import part, settle_provisioned


def install() -> None:
    """Store the key whenever a stack creates or updates a topic."""
    settle_provisioned("AWS::SNS::Topic", _encrypt)


def _encrypt(arn: str, properties: dict[str, Any]) -> None:
    topic = part("services.sns", "_topics").get(arn)
    if topic is not None:
        topic["attributes"].pop("KmsMasterKeyId", None)
        if key := properties.get("KmsMasterKeyId"):
            topic["attributes"]["KmsMasterKeyId"] = key
