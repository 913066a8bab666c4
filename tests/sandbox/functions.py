"""Small Lambda functions for the tests of the account."""

import io
import json
import zipfile
from itertools import count
from typing import Any

from sandbox import Sandbox

numbers = count(1)


def package(**files: str) -> bytes:
    """Return a ZIP archive of Python modules; `python__x` is `python/x.py`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name.replace('__', '/')}.py", text)
    return content.getvalue()


def make_role(sandbox: Sandbox) -> str:
    """Create a role for functions without permissions; return its ARN."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    arn: str = sandbox.client("iam").create_role(
        RoleName=f"function-{next(numbers)}",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    return arn


def make_function(
    sandbox: Sandbox,
    code: str,
    name: str | None = None,
    **more: Any,  # noqa: ANN401 - boto3's
) -> str:
    """Create a function whose module is `code`, with a function `handler`; return its name."""
    name = name or f"function-{next(numbers)}"
    sandbox.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": package(app=code)},
        **{"Role": make_role(sandbox)} | more,
    )
    return name


def invoke(sandbox: Sandbox, name: str, event: object = None) -> tuple[Any, bool]:
    """Return a function's result, and whether it is an error."""
    answer = sandbox.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read()), "FunctionError" in answer
