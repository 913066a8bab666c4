"""AWS's errors, read by their code."""

from botocore.exceptions import BotoCoreError, ClientError

from emr_log_guard.domain.unresolved import Unresolved

AWS_ERRORS = (BotoCoreError, ClientError)
"""Every way in which a call can fail: AWS answered with an error, or never answered."""


def code_of(error: BotoCoreError | ClientError) -> str:
    """Name an error: AWS's own code, or the kind of failure when AWS never answered."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def message_of(error: ClientError) -> str:
    """Give AWS's own words."""
    return error.response["Error"]["Message"]


def unresolved(call: str, subject: str, error: BotoCoreError | ClientError) -> Unresolved:
    """Say which call on what said what."""
    return Unresolved(f"{call} on {subject} answered {code_of(error)}")
