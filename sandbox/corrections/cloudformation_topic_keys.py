"""A topic that a stack creates is encrypted with the key that its template names.

MiniStack's CloudFormation drops the key.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
"""

from typing import Any

from sandbox.corrections.hooks import part


def install() -> None:
    """Write the key down with the topic, whenever a stack creates or changes one."""
    topics: dict[str, Any] = part("services.cloudformation.provisioners", "_RESOURCE_HANDLERS")[
        "AWS::SNS::Topic"
    ]
    create, update = topics["create"], topics["update"]

    def create_topic(logical_id: str, properties: dict[str, Any], stack: str) -> Any:  # noqa: ANN401
        created = create(logical_id, properties, stack)
        _encrypt(created[0], properties)
        return created

    def update_topic(
        arn: str,
        old: dict[str, Any],
        new: dict[str, Any],
        *rest: Any,  # noqa: ANN401 - passed on
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - MiniStack is untyped
        updated = update(arn, old, new, *rest, **more)
        _encrypt(arn, new)
        return updated

    topics |= {"create": create_topic, "update": update_topic}


def _encrypt(arn: str, properties: dict[str, Any]) -> None:
    topic = part("services.sns", "_topics").get(arn)
    if topic is not None:
        topic["attributes"].pop("KmsMasterKeyId", None)
        if key := properties.get("KmsMasterKeyId"):
            topic["attributes"]["KmsMasterKeyId"] = key
