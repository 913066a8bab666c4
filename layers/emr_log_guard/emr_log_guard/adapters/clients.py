"""boto3 clients with bounded patience.

https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

import gzip
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader
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
_PUBLISH = _CONFIG.merge(
    Config(read_timeout=20, retries={"mode": "standard", "total_max_attempts": 1})
)
"""SNS may have accepted what it did not answer in time: the record decides whether to repeat it."""
_ONE_AT_A_TIME = Lock()
"""Making a client is not thread-safe; using one is."""


class _Models(JSONFileLoader):
    """Reads AWS's models with msgspec: a start takes 30 to 40 ms less than with json."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - any JSON
        """Read a model, of which the name lacks its ending; None if there is none."""
        for ending, read in ((".json", Path.read_bytes), (".json.gz", _unzipped)):
            file = Path(f"{file_path}{ending}")
            if file.is_file():
                return msgspec.json.decode(read(file))
        return None


def _unzipped(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes())


@cache
def shared_session() -> "Session":
    """Return what all clients here are made by: what it has read of AWS's models is read once."""
    session = get_session()
    session.register_component("data_loader", Loader(file_loader=_Models()))
    return session


@cache
def _boto3() -> boto3.Session:
    """Return boto3's way to the same session."""
    return boto3.Session(botocore_session=shared_session())


@cache
def dynamodb() -> "DynamoClient":
    """Return the client for DynamoDB."""
    client: DynamoClient = _boto3().client("dynamodb", config=_CONFIG)
    return client


@cache
def emr() -> "EMRClient":
    """Return the client for Amazon EMR."""
    return _boto3().client("emr", config=_CONFIG)


@cache
def events() -> "EventBridgeClient":
    """Return the client for EventBridge."""
    return _boto3().client("events", config=_CONFIG)


@cache
def iam() -> "IAMClient":
    """Return the client for IAM."""
    return _boto3().client("iam", config=_CONFIG)


@cache
def kms(region: str | None = None) -> "KMSClient":
    """Return the client for KMS in a Region, the function's own unless told. Threads may ask."""
    with _ONE_AT_A_TIME:
        return _boto3().client("kms", region_name=region, config=_CONFIG)


@cache
def s3() -> "S3Client":
    """Return the client for S3."""
    return _boto3().client("s3", config=_CONFIG)


@cache
def scheduler() -> "EventBridgeSchedulerClient":
    """Return the client for EventBridge Scheduler."""
    return _boto3().client("scheduler", config=_CONFIG)


@cache
def states() -> Any:  # noqa: ANN401 - boto3's own types are not at hand
    """Return the client for Step Functions."""
    return _boto3().client("stepfunctions", config=_CONFIG)


@cache
def security_hub() -> Any:  # noqa: ANN401 - boto3's own types are not at hand
    """Return the client for Security Hub."""
    return _boto3().client("securityhub", config=_CONFIG)


@cache
def sns() -> "SNSClient":
    """Return the client for SNS."""
    return _boto3().client("sns", config=_PUBLISH)


@cache
def sqs() -> "SQSClient":
    """Return the client for SQS."""
    return _boto3().client("sqs", config=_CONFIG)


@cache
def ssm() -> "SSMClient":
    """Return the client for Systems Manager."""
    return _boto3().client("ssm", config=_CONFIG)
