"""AWS's errors, read by their code."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from emr_log_guard.domain.unresolved import Unresolved

AWS_ERRORS = (BotoCoreError, ClientError)
"""Every way in which a call can fail: AWS answered with an error, or never answered."""

_TEMPORARY_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "DependencyTimeoutException",
        "EC2ThrottledException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "KMSInternalException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""The codes that botocore retries, and those that AWS documents as worth another attempt.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
"""
_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429


def code_of(error: BotoCoreError | ClientError) -> str:
    """Name an error: AWS's own code, or the kind of failure when AWS never answered."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def message_of(error: ClientError) -> str:
    """Give AWS's own words."""
    return error.response["Error"]["Message"]


def is_transient(error: BotoCoreError | ClientError) -> bool:
    """Say whether a failure may pass: throttling, a 5xx, or no answer at all.

    A request that was never sent, for want of credentials, a Region or a valid parameter, will
    not pass.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return (
            code_of(error) in _TEMPORARY_CODES
            or status == _TOO_MANY_REQUESTS
            or status >= _SERVER_ERROR
        )
    return isinstance(error, HTTPClientError | NoConnectionError | IncompleteReadError)


def unresolved(call: str, subject: str, error: BotoCoreError | ClientError) -> Unresolved:
    """Say which call on what said what, and whether that may pass."""
    return Unresolved(f"{call} on {subject} answered {code_of(error)}", is_transient(error))
