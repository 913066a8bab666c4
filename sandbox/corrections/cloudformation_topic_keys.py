"""A topic that a stack creates is encrypted with the key that its template names.

MiniStack's CloudFormation drops the key.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
"""

from typing import Any

from sandbox.corrections.hooks import part, settle_provisioned


def install() -> None:
    """Write the key down with the topic, whenever a stack creates or changes one."""
    settle_provisioned("AWS::SNS::Topic", _encrypt)


def _encrypt(arn: str, properties: dict[str, Any]) -> None:
    topic = part("services.sns", "_topics").get(arn)
    if topic is not None:
        topic["attributes"].pop("KmsMasterKeyId", None)
        if key := properties.get("KmsMasterKeyId"):
            topic["attributes"]["KmsMasterKeyId"] = key
