import json

from sandbox import Sandbox


def test_policy_that_denies_insecure_transport_allows_a_request(sandbox: Sandbox) -> None:
    sns, iam = sandbox.client("sns"), sandbox.client("iam")
    topic = sns.create_topic(Name="tls-only")["TopicArn"]
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    sns.set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [deny]}),
    )
    iam.create_user(UserName="publisher")
    allow = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
    iam.put_user_policy(
        UserName="publisher",
        PolicyName="publish",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    key = iam.create_access_key(UserName="publisher")["AccessKey"]
    publisher = sandbox.client(
        "sns",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )

    assert publisher.publish(TopicArn=topic, Message="hello")["MessageId"]
