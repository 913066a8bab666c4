"""How to fix AWS errors, for the user of the command."""

from collections.abc import Iterable

_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)
AUDIT_POLICY = (
    "the caller may not read this: attach the policy that `emr-log-guard audit --print-iam-policy` "
    "prints, with the same options"
)
_EXPIRED = "the credentials have expired: sign in again"
_REJECTED = (
    "AWS does not accept these credentials in this Region: they may be wrong, or the Region may "
    "not be enabled for the account"
)
_SIGN_IN = "run `aws sso login`"
_NOT_REACHED = "check the network, the proxy and the name of the Region"
_THROTTLED = "AWS throttles this account: try again in a minute"
_HINTS = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "AuthFailure": _REJECTED,
    "InvalidClientTokenId": _REJECTED,
    "UnrecognizedClientException": _REJECTED,
    "SSOTokenLoadError": _SIGN_IN,
    "TokenRetrievalError": _SIGN_IN,
    "UnauthorizedSSOTokenError": _SIGN_IN,
    "ConnectTimeoutError": _NOT_REACHED,
    "EndpointConnectionError": _NOT_REACHED,
    "ProxyConnectionError": _NOT_REACHED,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "NoCredentialsError": (
        "there are no AWS credentials: choose a profile with --profile or AWS_PROFILE, or run "
        "`aws configure` or `aws sso login`"
    ),
    "PartialCredentialsError": "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "list the profiles with `aws configure list-profiles`",
    "ParameterNotFound": "check --stack or --parameter, --region and --profile",
}
"""By AWS's error code, or by the name of botocore's error when there was no answer."""


def error_hint(code: str, call: str) -> str | None:
    """Return how to fix an error; None where it is self-explanatory.

    Args:
        code: AWS's error code, or the name of botocore's error.
        call: Which call on what: the permission that may be missing, and its resource.

    """
    if code in _DENIED:
        return f"allow this caller {call}, or act as another one with --profile"
    return _HINTS.get(code)


def error_hints(problems: Iterable[str]) -> tuple[str, ...]:
    """Return how to fix the problems of an audit, without duplicates."""
    codes = (problem.rpartition(" ")[2] for problem in problems)
    hints = (AUDIT_POLICY if code in _DENIED else _HINTS.get(code) for code in codes)
    return tuple(dict.fromkeys(filter(None, hints)))
