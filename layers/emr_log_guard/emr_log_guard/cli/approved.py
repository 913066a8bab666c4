"""Approved keys, looked up with the caller's credentials before a policy holds."""

import typer

from emr_log_guard.cli.ending import fail
from emr_log_guard.policy_document import parse_policy
from emr_log_guard.rendering.escape import plain


def check_approved_keys(text: str, region: str | None, *, unusable_allowed: bool = False) -> None:
    """Look up the approved keys of a valid policy; end the command if one is of no use.

    What cannot be read becomes a warning, and so does what is wrong, where that is allowed.
    """
    identifiers = parse_policy(text).approved_keys
    if not identifiers:
        return
    # boto3 is slow to import, and other commands have no use for it.
    from emr_log_guard.adapters import command_clients  # noqa: PLC0415
    from emr_log_guard.adapters.kms import KmsKeys  # noqa: PLC0415
    from emr_log_guard.usecases.resolve_approved_keys import (  # noqa: PLC0415
        resolve_approved_keys,
    )

    here = region or command_clients.own_region()
    if here is None:
        fail("no Region: set AWS_DEFAULT_REGION to that of the stack")
    keys = KmsKeys(lambda of_key: command_clients.kms(of_key or here))
    resolved = resolve_approved_keys(identifiers, keys, here)
    warnings = (*resolved.unread, *(resolved.problems if unusable_allowed else ()))
    for warning in warnings:
        typer.echo(f"Warning: {plain(warning)}", err=True)
    if resolved.problems and not unusable_allowed:
        fail(*map(plain, resolved.problems))
