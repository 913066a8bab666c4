"""Fixtures for the sandbox's tests: one account for all of them, a key and a role."""

import json
from collections.abc import Callable
from itertools import count

import pytest

from sandbox import Sandbox

numbers = count(1)


@pytest.fixture
def bucket(sandbox: Sandbox) -> str:
    name = f"bucket-{next(numbers)}"
    sandbox.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def key(sandbox: Sandbox) -> str:
    """The ARN of a new customer-managed key."""
    arn: str = sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]
    return arn


@pytest.fixture
def role(sandbox: Sandbox) -> Callable[..., dict[str, str]]:
    """Creates a role with the permissions in the given statements, and returns its credentials."""

    def make(*statements: dict[str, object]) -> dict[str, str]:
        iam, name = sandbox.client("iam"), f"role-{next(numbers)}"
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
            ],
        }
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"][
            "Arn"
        ]
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
        session = sandbox.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")
        credentials = session["Credentials"]
        return {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }

    return make
