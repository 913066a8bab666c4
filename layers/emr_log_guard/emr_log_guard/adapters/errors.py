"""AWS's errors, read by their code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import HandoffFailedError

AWS_ERRORS = (BotoCoreError, ClientError)
"""Every way in which a call can fail: AWS answered with an error, or never answered."""
_KEPT_BACK = "was not called: the guard keeps to its share of EMR's quota"


class RateLimitedError(BotoCoreError):
    """The guard's own limit does not allow a call now: it was not sent."""

    fmt = f"{{operation}} {_KEPT_BACK}"


THROTTLING_CODES = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""The codes for throttling."""
_TEMPORARY_CODES = THROTTLING_CODES | frozenset(
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
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
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
    """Return AWS's error code, or the class of the failure when AWS did not answer."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def answer_of(error: BotoCoreError | ClientError) -> str:
    """Return the end of a sentence: what AWS answered, or how the call failed without an answer."""
    verb = "answered" if isinstance(error, ClientError) else "failed with"
    return f"{verb} {code_of(error)}"


def message_of(error: ClientError) -> str:
    """Return AWS's message."""
    return error.response["Error"]["Message"]


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A failed call, for display."""

    summary: str
    """The call, its subject and its error; botocore's message when no call was made."""
    code: str
    aws_message: str | None = None
    """AWS's message; None when it did not answer."""
    reason: str | None = None
    """botocore's message when AWS did not answer, unless that is the summary."""


def call_failure(error: Exception) -> CallFailure | None:
    """Describe an error of AWS, or one that such an error caused; None for any other."""
    cause = error if isinstance(error, AWS_ERRORS) else error.__cause__
    if not isinstance(cause, AWS_ERRORS):
        return None
    code = code_of(cause)
    if isinstance(cause, ClientError):
        summary = f"{cause.operation_name} answered {code}" if cause is error else str(error)
        return CallFailure(summary, code, aws_message=message_of(cause))
    return CallFailure(str(error), code, reason=None if cause is error else str(cause))


def is_transient(error: BotoCoreError | ClientError) -> bool:
    """Whether a failure is temporary: throttling, a 5xx, or no answer.

    A request that was not sent, for lack of credentials, a Region or a valid parameter, is not.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return (
            code_of(error) in _TEMPORARY_CODES
            or status == _TOO_MANY_REQUESTS
            or status >= _SERVER_ERROR
        )
    return isinstance(
        error, HTTPClientError | NoConnectionError | IncompleteReadError | RateLimitedError
    )


def unresolved(call: str, subject: str, error: BotoCoreError | ClientError) -> Unresolved:
    """Return the call, its subject and its error, and whether that is temporary."""
    limited = isinstance(error, RateLimitedError)
    return Unresolved(failure_of(call, subject, error), is_transient(error), limited)


def failure_of(call: str, subject: str, error: BotoCoreError | ClientError) -> str:
    """Return the call, its subject and its error."""
    if isinstance(error, RateLimitedError):
        return f"{call} on {subject} {_KEPT_BACK}"
    return f"{call} on {subject} {answer_of(error)}"


@contextmanager
def handoff(call: str, subject: str) -> Iterator[None]:
    """Raise HandoffFailedError with the call, its subject and its error when AWS refuses it."""
    try:
        yield
    except AWS_ERRORS as error:
        raise HandoffFailedError(failure_of(call, subject, error)) from error
