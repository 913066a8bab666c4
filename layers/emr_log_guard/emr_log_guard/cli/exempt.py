"""The command `exempt`: an exemption for clusters, added to the stored policy."""

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import (
    DEFAULT_STACK,
    Parameter,
    Profile,
    Quiet,
    Region,
    Stack,
    Yes,
    clients_for,
)
from emr_log_guard.cli.policy_store import PolicyStore, problems_of


def exempt(  # noqa: PLR0913 - each is an option
    *,
    rule: Annotated[
        list[str],
        typer.Option(metavar="ID", help="The rule, or * for all rules. Can be repeated."),
    ],
    until: Annotated[
        str, typer.Option(metavar="DATE", help="The last day of the exemption, UTC: 2026-12-31.")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, in one line.")],
    cluster: Annotated[
        str | None, typer.Option(metavar="ID", help="Exempt the cluster with this id.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Exempt clusters with such a name: 'legacy-*'."),
    ] = None,
    tag: Annotated[
        list[str],
        typer.Option(metavar="KEY=VALUE", help="Exempt clusters with this tag. Can be repeated."),
    ] = [],  # noqa: B006 - Typer copies it
    approved_by: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who approved it, if not you.", show_default=False),
    ] = None,
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    region: Region = None,
    profile: Profile = None,
    yes: Yes = False,
    quiet: Quiet = False,
) -> None:
    """Exempt clusters from rules until a date.

    Adds an exemption to the stored policy. Select the clusters with --cluster, --name or --tag. If
    several are given, all of them must match.

    Exit status: 0 when the exemption is stored; 1 when you decline; 2 when it is invalid or
    refused.
    """
    tags = dict(one.partition("=")[::2] for one in tag)
    if not all("=" in one for one in tag):
        fail("--tag: write KEY=VALUE")
    match = {"id": cluster, "name": name, "tag": tags or None}
    wanted = {key: value for key, value in match.items() if value is not None}
    if not wanted:
        fail("select the clusters: --cluster ID, --name PATTERN or --tag KEY=VALUE")
    exemption = {
        "cluster": wanted,
        "rules": rule,
        "until": until,
        "reason": reason,
        "approved_by": approved_by or getpass.getuser(),
    }
    if problems := problems_of(json.dumps({"exemptions": [exemption]})):
        fail(*(problem.removeprefix("exemptions[0].") for problem in problems))
    if until < datetime.now(UTC).date().isoformat():
        fail(f"--until: {until} is in the past")
    store = PolicyStore.of(clients_for(profile, region), stack, parameter)
    stored = store.read()
    if problems := problems_of(stored.text):
        fail(
            "the stored policy is invalid: correct it first, with `policy show` and `policy set`",
            *problems,
        )
    document = json.loads(stored.text)
    document.setdefault("exemptions", []).append(exemption)
    store.replace(stored, json.dumps(document), yes=yes, quiet=quiet)
