"""Options that several commands share, and their validation."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.cli.exit_status import fail

DEFAULT_STACK = "emr-log-guard"

Stack = Annotated[str, typer.Option("--stack", metavar="NAME", help="The deployed stack.")]
Parameter = Annotated[
    str | None,
    typer.Option(
        "--parameter",
        metavar="NAME",
        help="The SSM parameter that holds the policy, instead of the stack's.",
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="REGION",
        help="The Region, instead of AWS_REGION or the profile's.",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="The AWS profile, instead of AWS_PROFILE."),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only results, warnings and errors.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]

_REGION = re.compile(r"[a-z]+(-[a-z0-9]+)+")
_CLUSTER_ID = re.compile(r"j-[A-Z0-9]+")


NO_REGION = "no Region: give --region, or set AWS_REGION or the profile's region"


def clients_for(profile: str | None, region: str | None) -> CommandClients:
    """Return the clients of a profile in a Region; fail when there is no Region."""
    clients = CommandClients.of_caller(profile, region)
    if clients.region is None:
        fail(NO_REGION)
    checked_region(clients.region)
    return clients


def echo_json(document: Mapping[str, object]) -> None:
    """Print the result of a command for programs."""
    typer.echo(json.dumps(document, indent=2))


def format_of[Format](given: Format | None, as_json: Format | None, default: Format) -> Format:
    """Return the format of --format or --json; fail when both are given."""
    if given and as_json:
        fail("give --format or --json, not both")
    return given or as_json or default


def checked_region(name: str) -> str:
    """Return the name of a Region; fail when it cannot be one."""
    if not _REGION.fullmatch(name):
        fail(f"{name!r} is not a Region: write one such as eu-west-1")
    return name


def checked_cluster_id(typed: str) -> str:
    """Return a cluster id; fail when it cannot be one."""
    if not _CLUSTER_ID.fullmatch(typed):
        fail(f"{typed!r} is not a cluster id: write one such as j-2AXXXXXXGAPLF")
    return typed


def file_name(file: Path) -> str:
    """Name a file in a message."""
    return "standard input" if str(file) == "-" else str(file)


def read_file(file: Path) -> str:
    """Read a document from a file, or from standard input for `-`."""
    try:
        return (
            typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text("utf-8")
        )
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        fail(f"{file}: {error}")


def today() -> date:
    """Return the date, UTC."""
    return datetime.now(UTC).date()
