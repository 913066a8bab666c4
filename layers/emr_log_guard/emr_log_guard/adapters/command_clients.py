"""boto3 clients of what the command alone calls: the functions' layer has no model of them.

https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_iam import IAMClient
    from types_boto3_kms import KMSClient

_USER_AGENT = "emr-log-guard"
_FUNCTION_SECONDS = 130
"""Longer than any function may run: 120 s."""
_IMPATIENT = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent_extra=_USER_AGENT,
)
"""For what a command can do without."""


@cache
def cloudformation() -> "CloudFormationClient":
    """Return the client for CloudFormation."""
    config = Config(retries={"mode": "adaptive"}, user_agent_extra=_USER_AGENT)
    return boto3.client("cloudformation", config=config)


@cache
def functions() -> Any:  # noqa: ANN401 - boto3's own types are not at hand
    """Return the client for Lambda. It never invokes twice: a slow answer is no failure."""
    config = Config(
        connect_timeout=5,
        read_timeout=_FUNCTION_SECONDS,
        retries={"total_max_attempts": 1},
        user_agent_extra=_USER_AGENT,
    )
    make: Any = boto3.client
    return make("lambda", config=config)


@cache
def iam(region: str) -> "IAMClient":
    """Return the client for IAM of a Region's partition."""
    return boto3.client("iam", region_name=region, config=_IMPATIENT)


@cache
def kms(region: str | None) -> "KMSClient":
    """Return the client for KMS in a Region."""
    return boto3.client("kms", region_name=region, config=_IMPATIENT)


def credentials_at_hand() -> bool:
    """Say whether AWS can be asked at all.

    Raises:
        BotoCoreError: There should be credentials, and something is wrong with them.

    """
    return boto3.Session().get_credentials() is not None


def own_region() -> str | None:
    """Return the Region of the environment or the profile; None when there is none."""
    return boto3.Session().region_name


@cache
def states() -> Any:  # noqa: ANN401 - boto3's own types are not at hand
    """Return the client for Step Functions."""
    config = Config(retries={"mode": "adaptive"}, user_agent_extra=_USER_AGENT)
    return boto3.client("stepfunctions", config=config)
