"""botocore's clients with bounded patience.

boto3 itself is left out: of what it adds to botocore nothing is used, and a cold start is shorter.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import get_session

if TYPE_CHECKING:
    from botocore.session import Session
    from types_boto3_emr import EMRClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_iam import IAMClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client
    from types_boto3_scheduler import EventBridgeSchedulerClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient

    from emr_log_guard.adapters.dynamodb import DynamoClient

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "adaptive", "total_max_attempts": 5},
    user_agent_extra="emr-log-guard",
)


@cache
def shared_session() -> "Session":
    """Return what all clients here are made by: what it has read of AWS's models is read once."""
    return get_session()


@cache
def dynamodb() -> "DynamoClient":
    """Return the client for DynamoDB."""
    client: DynamoClient = _client("dynamodb")
    return client


@cache
def emr() -> "EMRClient":
    """Return the client for Amazon EMR."""
    client: EMRClient = _client("emr")
    return client


@cache
def events() -> "EventBridgeClient":
    """Return the client for EventBridge."""
    client: EventBridgeClient = _client("events")
    return client


@cache
def iam() -> "IAMClient":
    """Return the client for IAM."""
    client: IAMClient = _client("iam")
    return client


@cache
def kms(region: str | None = None) -> "KMSClient":
    """Return the client for KMS in a Region, the function's own unless told."""
    client: KMSClient = _client("kms", region)
    return client


@cache
def s3() -> "S3Client":
    """Return the client for S3."""
    client: S3Client = _client("s3")
    return client


@cache
def scheduler() -> "EventBridgeSchedulerClient":
    """Return the client for EventBridge Scheduler."""
    client: EventBridgeSchedulerClient = _client("scheduler")
    return client


@cache
def states() -> Any:  # noqa: ANN401 - boto3's own types are not at hand
    """Return the client for Step Functions."""
    return _client("stepfunctions")


@cache
def security_hub() -> Any:  # noqa: ANN401 - boto3's own types are not at hand
    """Return the client for Security Hub."""
    return _client("securityhub")


@cache
def sns() -> "SNSClient":
    """Return the client for SNS."""
    client: SNSClient = _client("sns")
    return client


@cache
def sqs() -> "SQSClient":
    """Return the client for SQS."""
    client: SQSClient = _client("sqs")
    return client


@cache
def ssm() -> "SSMClient":
    """Return the client for Systems Manager."""
    client: SSMClient = _client("ssm")
    return client


def _client(service: str, region: str | None = None) -> Any:  # noqa: ANN401 - of any service
    return shared_session().create_client(service, region_name=region, config=_CONFIG)
