"""Clients of the functions, made by botocore, with bounded timeouts and retries.

https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

import gzip
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import get_session

from emr_log_guard.adapters.errors import THROTTLING_CODES
from emr_log_guard.adapters.rate_limiter import Limit, RateLimiters
from emr_log_guard.observability import record_emr_call

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
_EMR = _CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 3}))
"""Throttled calls are the limiter's affair: adaptive mode has one rate for all actions together."""
_EMR_GIVE_UP = 15
"""Seconds for which EMR may throttle everything before a call without a limit of its own fails."""
_PUBLISH = _CONFIG.merge(
    Config(read_timeout=20, retries={"mode": "standard", "total_max_attempts": 1})
)
"""SNS may have accepted an unanswered call: the record decides whether to repeat it."""
_S3 = _CONFIG.merge(Config(max_pool_connections=64))
"""A connection is kept for each thread that reads or re-encrypts objects: a new one is slow."""
_ONE_AT_A_TIME = Lock()
"""Making a client is not thread-safe, and neither are metrics; using a client is."""


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
    """Return the session of all clients: it reads AWS's models once."""
    session = get_session()
    session.register_component("data_loader", Loader(file_loader=_Models()))
    return session


def _client(service: str, config: Config = _CONFIG, region: str | None = None) -> Any:  # noqa: ANN401 - of any service
    return shared_session().create_client(service, region_name=region, config=config)


@cache
def dynamodb() -> "DynamoClient":
    """Return the client for DynamoDB."""
    client: DynamoClient = _client("dynamodb")
    return client


@cache
def emr() -> "EMRClient":
    """Return the client for Amazon EMR, which slows down once EMR throttles."""
    return limited_emr({})


def limited_emr(limits: Mapping[str, Limit]) -> "EMRClient":
    """Make a client for Amazon EMR that keeps to limits, by action; others are as with `emr`.

    What it calls is measured: others need the quota, too.
    """
    client: EMRClient = _client("emr", _EMR)
    RateLimiters(Event(), Limit(give_up_after=_EMR_GIVE_UP), limits).attach(client)
    client.meta.events.register("after-call.emr.*", _measure)
    return client


def _measure(parsed: Mapping[str, Any], **_: object) -> None:
    retries = parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
    throttled = parsed.get("Error", {}).get("Code") in THROTTLING_CODES
    with _ONE_AT_A_TIME:
        record_emr_call(1 + retries, throttled=throttled)


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
    """Return the client for KMS in a Region, the function's own by default. Thread-safe."""
    with _ONE_AT_A_TIME:
        client: KMSClient = _client("kms", region=region)
        return client


@cache
def s3() -> "S3Client":
    """Return the client for S3."""
    client: S3Client = _client("s3", _S3)
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
    client: SNSClient = _client("sns", _PUBLISH)
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
