"""The commands `policy show`, `policy validate` and `policy set`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import (
    DEFAULT_STACK,
    Parameter,
    Profile,
    Region,
    Stack,
    Yes,
    clients_for,
    read_file,
)
from emr_log_guard.cli.policy_store import PolicyStore, problems_of
from emr_log_guard.policy_document import parse_policy, pretty
from emr_log_guard.rendering.escape import plain
from emr_log_guard.usecases.resolve_approved_keys import resolve_approved_keys

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A policy document, JSON; - for standard input."),
]


def show(
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Print the stored policy as JSON, to edit it and to set it again.

    Exit status: 0; or 2 without access, and when the stored policy is invalid: standard error says
    what is wrong.
    """
    stored = PolicyStore.of(clients_for(profile, region), stack, parameter).read()
    problems = problems_of(stored.text)
    typer.echo(stored.text if problems else pretty(json.loads(stored.text)), nl=False)
    if problems:
        fail(*problems)


def validate(
    file: File,
    *,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Also look up each approved key in AWS KMS.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Check a policy document. AWS is called only with --resolve.

    With --resolve each approved key is looked up, too (kms:DescribeKey): it must exist in this
    Region, and be customer-managed, symmetric and enabled. A key that cannot be read is a warning.

    Exit status: 0 when the policy is valid, 2 when it is not.
    """
    text = read_file(file)
    problems = problems_of(text)
    if problems:
        fail(*problems)
    if resolve:
        _check_approved_keys(text, clients_for(profile, region))
    typer.echo(f"{file} is valid.")


def set_policy(  # noqa: PLR0913 - each is an option
    file: File,
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    region: Region = None,
    profile: Profile = None,
    *,
    yes: Yes = False,
    allow_unusable_keys: Annotated[
        bool,
        typer.Option(
            "--allow-unusable-keys",
            help="Store approved keys that do not exist yet, or that no cluster can use, too.",
        ),
    ] = False,
) -> None:
    """Check a policy document, show what it would change, ask, and store it.

    Unusable approved keys are refused as by `policy validate --resolve`, unless they are allowed.
    Nothing is written if the stored policy was changed meanwhile.

    Exit status: 0 when it is stored, or says the same already; 1 when you decline; 2 when it is
    invalid or refused.
    """
    new = read_file(file)
    if problems := problems_of(new):
        fail(*problems)
    clients = clients_for(profile, region)
    _check_approved_keys(new, clients, unusable_allowed=allow_unusable_keys)
    store = PolicyStore.of(clients, stack, parameter)
    store.replace(store.read(), new, yes=yes)


def _check_approved_keys(
    text: str, clients: CommandClients, *, unusable_allowed: bool = False
) -> None:
    """Look up the approved keys of a valid policy; end the command if one is unusable.

    A key that cannot be read is a warning, and so is an unusable one where those are allowed.
    """
    identifiers = parse_policy(text).approved_keys
    if not identifiers:
        return
    region = clients.kms().meta.region_name
    resolved = resolve_approved_keys(identifiers, KmsKeys(clients.kms), region)
    warnings = (*resolved.unread, *(resolved.problems if unusable_allowed else ()))
    for warning in warnings:
        typer.echo(f"Warning: {plain(warning)}", err=True)
    if resolved.problems and not unusable_allowed:
        fail(*map(plain, resolved.problems))
