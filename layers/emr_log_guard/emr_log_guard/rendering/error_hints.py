"""What helps against the errors that keep an audit from reading anything."""

from collections.abc import Iterable

_NO_PERMISSION = (
    "the caller may not read this: give it what `emr-log-guard audit --print-iam-policy` prints, "
    "called with the same options"
)
_EXPIRED = "the credentials have expired: sign in again"
_NOT_KNOWN = (
    "AWS does not take the credentials there: they may be wrong, or the Region may not be enabled "
    "for the account"
)
_SIGN_ON = "nobody is signed on: run `aws sso login`"
_NOT_REACHED = "AWS was not reached: look at the network, the proxy and the Region's name"
_ADVICE = {
    "AccessDenied": _NO_PERMISSION,
    "AccessDeniedException": _NO_PERMISSION,
    "UnauthorizedOperation": _NO_PERMISSION,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "AuthFailure": _NOT_KNOWN,
    "InvalidClientTokenId": _NOT_KNOWN,
    "UnrecognizedClientException": _NOT_KNOWN,
    "SSOTokenLoadError": _SIGN_ON,
    "TokenRetrievalError": _SIGN_ON,
    "UnauthorizedSSOTokenError": _SIGN_ON,
    "ConnectTimeoutError": _NOT_REACHED,
    "EndpointConnectionError": _NOT_REACHED,
    "NoCredentialsError": (
        "there are no AWS credentials: set AWS_PROFILE, or sign in with `aws configure` or "
        "`aws sso login`"
    ),
}
"""By what a call answered."""


def error_hints(problems: Iterable[str]) -> tuple[str, ...]:
    """Say what helps, each thing once; nothing where a problem speaks for itself."""
    answers = (problem.rpartition(" answered ")[2] for problem in problems)
    return tuple(dict.fromkeys(_ADVICE[answer] for answer in answers if answer in _ADVICE))
