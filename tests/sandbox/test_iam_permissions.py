from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox

ACCOUNT = "111122223333"


def test_policy_for_a_role_arn_allows_simulating_it(
    sandbox: Sandbox, role: Callable[..., dict[str, str]]
) -> None:
    sandbox.client("iam").create_role(RoleName="simulated", AssumeRolePolicyDocument="{}")
    simulated = f"arn:aws:iam::{ACCOUNT}:role/simulated"
    credentials = role(
        {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": simulated}
    )

    answer = sandbox.client("iam", **credentials).simulate_principal_policy(
        PolicySourceArn=simulated, ActionNames=["s3:GetObject"]
    )

    assert answer["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"


def test_policy_for_an_instance_profile_allows_reading_only_that_one(
    sandbox: Sandbox, role: Callable[..., dict[str, str]]
) -> None:
    iam = sandbox.client("iam")
    iam.create_instance_profile(InstanceProfileName="mine")
    iam.create_instance_profile(InstanceProfileName="theirs")
    credentials = role(
        {
            "Effect": "Allow",
            "Action": "iam:GetInstanceProfile",
            "Resource": f"arn:aws:iam::{ACCOUNT}:instance-profile/mine",
        }
    )
    reader = sandbox.client("iam", **credentials)

    assert reader.get_instance_profile(InstanceProfileName="mine")["InstanceProfile"]
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.get_instance_profile(InstanceProfileName="theirs")


def test_policy_for_sending_a_message_allows_sending_a_batch(
    sandbox: Sandbox, role: Callable[..., dict[str, str]]
) -> None:
    sqs = sandbox.client("sqs")
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("ours", "others")]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:ours"
    sending = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}
    sender = sandbox.client("sqs", **role(sending))
    entries = [{"Id": "0", "MessageBody": "a"}]

    assert sender.send_message_batch(QueueUrl=urls[0], Entries=entries)["Successful"]
    with pytest.raises(ClientError, match="AccessDenied"):
        sender.send_message_batch(QueueUrl=urls[1], Entries=entries)
