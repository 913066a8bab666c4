"""The command as an operator runs it: in a process of its own, with few rights."""

import json
import os
import subprocess
import sys
from itertools import count

from tests.e2e.deployed import Deployed
from tests.template.stack import ROOT

type Statement = dict[str, object]

numbers = count(1)


def credentials(stack: Deployed, statements: list[Statement]) -> dict[str, str]:
    """Make a role with these permissions, and give its credentials as AWS tools read them."""
    iam, name = stack.account.client("iam"), f"operator-{next(numbers)}"
    trust: Statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
    }
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document(*statements))
    session = stack.account.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")
    given = session["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def document(*statements: Statement) -> str:
    """Write a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def command(
    stack: Deployed, statements: list[Statement], *arguments: str, said: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command with these permissions and this standard input."""
    environment = stack.account.environment | credentials(stack, statements)
    return subprocess.run(
        [sys.executable, "-m", "emr_log_guard.cli", *arguments],
        input=said,
        env=os.environ
        | environment
        | {"PYTHONPATH": str(ROOT / "layers" / "emr_log_guard"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
