"""Clients of the command, which acts as one profile in one Region.

https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from botocore.config import Config
from botocore.exceptions import InvalidEndpointConfigurationError

from emr_log_guard.adapters.sessions import caller_session

if TYPE_CHECKING:
    from botocore.session import Session
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_emr import EMRClient
    from types_boto3_iam import IAMClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient

    from emr_log_guard.adapters.dynamodb import DynamoClient

_FUNCTION_SECONDS = 130
"""Longer than any function may run: 120 s."""
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_extra="emr-log-guard",
)
_INVOKING = _CONFIG.merge(Config(read_timeout=_FUNCTION_SECONDS, retries={"total_max_attempts": 1}))
"""A slow answer is not a failure: nothing is invoked twice."""


@dataclass(slots=True)
class CommandClients:
    """Clients with the caller's credentials, made lazily.

    Each method but `has_credentials` raises BotoCoreError when there can be no such client, for
    example without a Region.
    """

    session: "Session"
    _clients: dict[tuple[str, str | None], Any] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def of_caller(cls, profile: str | None, region: str | None) -> Self:
        """Act as a profile in a Region; None: from the environment.

        Raises:
            BotoCoreError: There is no such profile, or its certificates cannot be read.

        """
        return cls(caller_session(profile, region))

    @property
    def region(self) -> str | None:
        """The Region; None when there is none."""
        region: str | None = self.session.get_config_variable("region")
        return region or None

    def has_credentials(self) -> bool:
        """Return whether AWS can be called at all.

        Raises:
            BotoCoreError: Credentials are configured but invalid.

        """
        return self.session.get_credentials() is not None

    def cloudformation(self) -> "CloudFormationClient":
        """Return the client for CloudFormation."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    def dynamodb(self) -> "DynamoClient":
        """Return the client for DynamoDB."""
        client: DynamoClient = self._client("dynamodb")
        return client

    def emr(self) -> "EMRClient":
        """Return the client for Amazon EMR."""
        client: EMRClient = self._client("emr")
        return client

    def functions(self) -> Any:  # noqa: ANN401 - boto3's own types are not installed
        """Return the client for Lambda."""
        return self._client("lambda", config=_INVOKING)

    def iam(self, region: str | None = None) -> "IAMClient":
        """Return the client for IAM, for the partition of a Region."""
        client: IAMClient = self._client("iam", region)
        return client

    def kms(self, region: str | None = None) -> "KMSClient":
        """Return the client for KMS in a Region. Thread-safe."""
        client: KMSClient = self._client("kms", region)
        return client

    def s3(self) -> "S3Client":
        """Return the client for S3."""
        client: S3Client = self._client("s3")
        return client

    def sqs(self) -> "SQSClient":
        """Return the client for SQS."""
        client: SQSClient = self._client("sqs")
        return client

    def ssm(self) -> "SSMClient":
        """Return the client for Systems Manager."""
        client: SSMClient = self._client("ssm")
        return client

    def states(self) -> Any:  # noqa: ANN401 - boto3's own types are not installed
        """Return the client for Step Functions."""
        return self._client("stepfunctions")

    def _client(self, service: str, region: str | None = None, config: Config = _CONFIG) -> Any:  # noqa: ANN401 - of any service
        with self._lock:  # making a client is not thread-safe
            made = self._clients.get((service, region))
            if made is None:
                try:
                    made = self.session.create_client(service, region_name=region, config=config)
                except ValueError as error:
                    raise InvalidEndpointConfigurationError(msg=str(error)) from error
                self._clients[service, region] = made
            return made
