from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox


def test_escaped_character_matches_only_itself(
    sandbox: Sandbox, role: Callable[..., dict[str, str]], bucket: str
) -> None:
    credentials = role(
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/a${{*}}b${{?}}c${{$}}/*",
        }
    )
    s3 = sandbox.client("s3", **credentials)

    assert s3.put_object(Bucket=bucket, Key="a*b?c$/x")
    for key in ("aXbYc$/x", "a*b?c/x", "a*bYc$/x", "aXb?c$/x"):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=bucket, Key=key)
