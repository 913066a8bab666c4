import json
from collections.abc import Callable
from typing import Any

from sandbox import Sandbox

type Eventually = Callable[..., Any]


def template(**properties: str) -> str:
    topic = {"Type": "AWS::SNS::Topic", "Properties": properties}
    return json.dumps(
        {"Resources": {"Topic": topic}, "Outputs": {"Arn": {"Value": {"Ref": "Topic"}}}}
    )


def test_stack_topic_has_the_key_of_its_latest_template(
    sandbox: Sandbox, key: str, eventually: Eventually
) -> None:
    cloudformation, sns = sandbox.client("cloudformation"), sandbox.client("sns")

    def topic_key(status: str) -> str | None:
        eventually(lambda: sandbox.stack_status("topic") == status)
        arn = sandbox.outputs("topic")["Arn"]
        answer: str | None = sns.get_topic_attributes(TopicArn=arn)["Attributes"].get(
            "KmsMasterKeyId"
        )
        return answer

    cloudformation.create_stack(StackName="topic", TemplateBody=template(KmsMasterKeyId=key))
    assert topic_key("CREATE_COMPLETE") == key

    cloudformation.update_stack(StackName="topic", TemplateBody=template(DisplayName="plain"))
    assert topic_key("UPDATE_COMPLETE") is None
