"""The commands `policy show`, `policy validate` and `policy set`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.cli.exit_status import FAILED, fail
from emr_log_guard.cli.options import (
    DEFAULT_STACK,
    Json,
    Parameter,
    Profile,
    Quiet,
    Region,
    Stack,
    Yes,
    clients_for,
    echo_json,
    file_name,
    read_file,
    today,
)
from emr_log_guard.cli.policy_store import PolicyStore, located, problems_of
from emr_log_guard.policy_document import parse_policy, pretty
from emr_log_guard.rendering.escape import plain
from emr_log_guard.usecases.approved_keys import (
    ApprovedKeysResolved,
    resolve_approved_keys,
    resolve_default_key,
)

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A policy document, JSON; - for standard input."),
]


def show(
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    region: Region = None,
    profile: Profile = None,
    *,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the policy with its parameter, version, time and problems."
        ),
    ] = False,
) -> None:
    """Print the stored policy.

    Edit the JSON, then store it with `policy set`.

    Exit status: 0; or 2 without access, and when the stored policy is invalid: standard error lists
    the problems.
    """
    store = PolicyStore.of(clients_for(profile, region), stack, parameter)
    stored = store.read()
    problems = problems_of(stored.text)
    if as_json:
        echo_json(
            {
                "parameter": store.parameter.name,
                "version": stored.version,
                "stored_at": stored.stored_at.isoformat() if stored.stored_at else None,
                "valid": not problems,
                "problems": problems,
                "policy": stored.text if problems else json.loads(stored.text),
            }
        )
        raise typer.Exit(FAILED if problems else 0)
    typer.echo(stored.text if problems else pretty(json.loads(stored.text)), nl=False)
    if problems:
        fail(*problems)


def validate(
    file: File,
    *,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Also look up each key that it names in AWS KMS.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Check a policy document. AWS is called only with --resolve.

    With --resolve each approved key is looked up, too (kms:DescribeKey): it must exist in this
    Region, and be customer-managed, symmetric and enabled. So is reencryption.default_key, which
    must be approved, too. A key that cannot be read is a warning.

    Exit status: 0 when the policy is valid, 2 when it is not.
    """
    text = read_file(file)
    problems = problems_of(text)
    places = located(file, text, problems)
    warnings: tuple[str, ...] = ()
    if resolve and not problems:
        resolved = _approved_keys(text, clients_for(profile, region))
        problems, warnings = resolved.problems, resolved.unread
    if as_json:
        echo_json({"valid": not problems, "problems": problems, "warnings": warnings})
        raise typer.Exit(FAILED if problems else 0)
    _warn(warnings)
    if problems:
        fail(*map(plain, places or problems))
    typer.echo(f"{file_name(file)} is valid.")


def set_policy(  # noqa: PLR0913 - each is an option
    file: File,
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    region: Region = None,
    profile: Profile = None,
    *,
    yes: Yes = False,
    quiet: Quiet = False,
    allow_unusable_keys: Annotated[
        bool,
        typer.Option(
            "--allow-unusable-keys",
            help="Accept approved keys that do not exist yet, or that no cluster can use.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Store a policy.

    Checks the document, shows what it would change, and asks before it is stored. Unusable
    approved keys are refused as by `policy validate --resolve`, unless they are allowed. Nothing
    is written if the stored policy was changed meanwhile.

    Exit status: 0 when it is stored or unchanged; 1 when you decline; 2 when it is
    invalid or refused.
    """
    new = read_file(file)
    if problems := problems_of(new):
        fail(*map(plain, located(file, new, problems)))
    clients = clients_for(profile, region)
    resolved = _approved_keys(new, clients)
    _warn((*resolved.unread, *(resolved.problems if allow_unusable_keys else ())))
    if resolved.problems and not allow_unusable_keys:
        fail(*map(plain, resolved.problems), hint="--allow-unusable-keys stores the policy anyway")
    store = PolicyStore.of(clients, stack, parameter)
    store.replace(store.read(), new, yes=yes, quiet=quiet, as_json=as_json)


def _approved_keys(text: str, clients: CommandClients) -> ApprovedKeysResolved:
    """Look up the approved keys of a valid policy, and its default key."""
    region, keys = clients.kms().meta.region_name, KmsKeys(clients.kms)
    policy = parse_policy(text, today())
    approved = resolve_approved_keys(policy.approved_keys, keys, region)
    default = resolve_default_key(policy, keys, region)
    return ApprovedKeysResolved(
        (*approved.problems, *default.problems), (*approved.unread, *default.unread)
    )


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        typer.echo(f"Warning: {plain(warning)}", err=True)
