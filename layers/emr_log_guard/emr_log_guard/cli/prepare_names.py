"""The names that `prepare` is given, checked: each problem ends the command with one clear line."""

import re
from dataclasses import dataclass

import msgspec

from emr_log_guard.cli.ending import fail
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.policy_document import Key
from emr_log_guard.rendering.escape import plain

_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
_ACCOUNT = re.compile(r"[0-9]{12}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_NAME = 256
_LONGEST_KEY = 1024
_DYNAMIC = "{{resolve:"


@dataclass(frozen=True, slots=True)
class Named:
    """A role or an instance profile, by name or ARN."""

    name: str
    arn: Arn | None = None


def named(option: str, kind: str, text: str) -> Named:
    """Read the name or ARN of a `role` or an `instance-profile`."""
    arn = Arn.parse(text)
    name = arn.resource.rpartition("/")[2] if arn else text
    right = arn is None or (
        arn.service == "iam"
        and arn.resource.startswith(f"{kind}/")
        and _ACCOUNT.fullmatch(arn.account) is not None
    )
    if not right or not _NAME.fullmatch(name):
        fail(
            f"{option} {_shown(text)}: write a name, or an ARN such as "
            f"arn:aws:iam::111122223333:{kind}/NAME"
        )
    return Named(name, arn)


def key_identifier(text: str) -> str:
    """Read a key id, key ARN, alias name or alias ARN of a key that may be the customer's."""
    try:
        msgspec.convert(text, Key.__value__)
    except msgspec.ValidationError:
        fail(f"--key {_shown(text)}: write a key id, key ARN, alias name (alias/…) or alias ARN")
    if re.search(r"(^|:)alias/aws/", text):
        fail(f"--key {_shown(text)} is AWS-managed: EMR takes customer-managed keys only")
    return text


def account_id(text: str) -> str:
    """Read the id of an account."""
    if not _ACCOUNT.fullmatch(text):
        fail(f"--account {_shown(text)}: write twelve digits")
    return text


def log_location(uri: str) -> LogLocation:
    """Read where logs go."""
    location = LogLocation.parse(uri)
    if location is None or not _BUCKET.fullmatch(location.bucket):
        fail(f"--log-uri {_shown(uri)}: write s3://BUCKET/FOLDER/")
    return LogLocation(location.bucket, _text("--log-uri", location.prefix, _LONGEST_KEY))


def cluster_name(text: str) -> str:
    """Read what a cluster is to be called."""
    if not text:
        fail("--name: say what the cluster is to be called")
    return _text("--name", text, _LONGEST_NAME)


def _text(option: str, text: str, longest: int) -> str:
    """Refuse what would reach a reader or CloudFormation as something else than it looks like."""
    if len(text) > longest or plain(text) != text:
        fail(
            f"{option} {_shown(text)}: write at most {longest} characters, "
            "and no control or formatting characters"
        )
    if _DYNAMIC in text:
        fail(f"{option} {_shown(text)}: CloudFormation would look up {_DYNAMIC}…}}}}")
    return text


def _shown(text: str) -> str:
    """Show what was typed, on one line and not at any length."""
    line = plain(text)
    return repr(line if len(line) <= _LONGEST_NAME else f"{line[:_LONGEST_NAME]}…")
