"""Clients of an audit: for any Region, as the caller or an assumed role."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, RLock
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import InvalidConfigError, InvalidEndpointConfigurationError

from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.errors import AWS_ERRORS, unresolved
from emr_log_guard.adapters.rate_limiter import Limit, RateLimiters
from emr_log_guard.domain.emr_rates import Rate
from emr_log_guard.errors import NotReadableError
from emr_log_guard.usecases.audit.scope import OBJECT_THREADS

if TYPE_CHECKING:
    from botocore.session import Session
    from types_boto3_ec2 import EC2Client
    from types_boto3_emr import EMRClient
    from types_boto3_iam import IAMClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client
    from types_boto3_sts import STSClient

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=OBJECT_THREADS,
    user_agent_extra="emr-log-guard",
)


def caller_session(profile: str | None = None, region: str | None = None) -> "Session":
    """Return the session of the caller.

    The profile and the Region are found as the AWS CLI finds them; botocore knows no AWS_REGION:
    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html

    Args:
        profile: The profile, whose credentials then come before those of the environment; None for
            AWS_PROFILE, AWS_DEFAULT_PROFILE or the default one.
        region: The Region; None for AWS_REGION, AWS_DEFAULT_REGION or that of the profile.

    Raises:
        BotoCoreError: There is no such profile, or its certificates cannot be read.

    """
    session = botocore.session.Session(profile=profile)
    session.get_scoped_config()
    if named := region or os.environ.get("AWS_REGION"):
        session.set_config_variable("region", named)
    certificates = session.get_config_variable("ca_bundle")
    try:
        if certificates:
            Path(certificates).open("rb").close()
    except OSError as error:
        message = f"the certificates in {certificates} cannot be read: {error.strerror}"
        raise InvalidConfigError(error_msg=message) from error
    return session


@dataclass(frozen=True, slots=True)
class Watch:
    """Shared by all clients of an audit."""

    calls: CallCount
    stopped: Event
    max_rate: float = math.inf


@dataclass(slots=True)
class AuditSession:
    """Clients with one set of credentials, made lazily.

    boto3 itself is left out: of what it adds to botocore nothing is used, and importing it takes
    longer than a small audit does.
    """

    session: "Session"
    watch: Watch
    role_arn: str | None = None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    @classmethod
    def of_caller(cls, watch: Watch, profile: str | None = None) -> "AuditSession":
        """Act as the caller, or one of their profiles.

        Raises:
            BotoCoreError: There is no such profile, or its certificates cannot be read.

        """
        return cls(caller_session(profile), watch)

    def assume(self, role_arn: str) -> "AuditSession":
        """Act as a role; its credentials are renewed before they expire.

        Raises:
            NotReadableError: The role cannot be assumed.

        """

        def fetch() -> dict[str, Any]:
            credentials = self.sts().assume_role(
                RoleArn=role_arn, RoleSessionName="emr-log-guard-audit"
            )["Credentials"]
            return {
                "access_key": credentials["AccessKeyId"],
                "secret_key": credentials["SecretAccessKey"],
                "token": credentials["SessionToken"],
                "expiry_time": credentials["Expiration"].isoformat(),
            }

        try:
            assumed = RefreshableCredentials.create_from_metadata(fetch(), fetch, "sts-assume-role")
        except AWS_ERRORS as error:
            problem = unresolved("sts:AssumeRole", role_arn, error)
            raise NotReadableError(problem.reason) from error
        session = botocore.session.Session()
        # botocore has no public way to set refreshable credentials of a session.
        vars(session)["_credentials"] = assumed
        return AuditSession(session, self.watch, role_arn)

    @property
    def region(self) -> str | None:
        """The Region of the caller's environment or profile; None without one."""
        region: str | None = self.session.get_config_variable("region")
        return region or None

    def ec2(self) -> "EC2Client":
        """Return the client for EC2."""
        client: EC2Client = self._client("ec2", self.region or "us-east-1")
        return client

    def emr(self, region: str) -> "EMRClient":
        """Return the client for Amazon EMR in a Region."""
        client: EMRClient = self._client("emr", region)
        return client

    def iam(self) -> "IAMClient":
        """Return the client for IAM."""
        client: IAMClient = self._client("iam", self.region or "us-east-1")
        return client

    def kms(self, region: str) -> Callable[[str | None], "KMSClient"]:
        """Return a function that returns the client for KMS in a Region, by default this one."""
        return lambda other: self._client("kms", other or region)

    def s3(self, region: str) -> "S3Client":
        """Return the client for S3 in a Region."""
        client: S3Client = self._client("s3", region)
        return client

    def sts(self) -> "STSClient":
        """Return the client for STS."""
        client: STSClient = self._client("sts", self.region or "us-east-1")
        return client

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - of any service
        """Return a client; creating one is not thread-safe.

        Raises:
            BotoCoreError: It cannot be created.

        """
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                try:
                    client = self.session.create_client(service, region_name=region, config=_CONFIG)
                except ValueError as error:
                    raise InvalidEndpointConfigurationError(msg=str(error)) from error
                self.watch.calls.attach(client)
                limit = Limit(Rate(self.watch.max_rate))
                RateLimiters(self.watch.stopped, limit).attach(client)
                self._clients[service, region] = client
            return client
