"""The commands `exempt add`, `exempt list` and `exempt remove`: the stored exemptions."""

import getpass
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer

from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.dynamodb import DynamoFindingRepository
from emr_log_guard.adapters.errors import AWS_ERRORS
from emr_log_guard.cli.exit_status import fail
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
    today,
)
from emr_log_guard.cli.policy_store import PolicyStore, problems_of
from emr_log_guard.errors import HandoffFailedError, NotDeployedError
from emr_log_guard.rendering.escape import plain
from emr_log_guard.usecases.ports import StoredPolicy
from emr_log_guard.usecases.replay.replay import FINDINGS_TABLE

_OPTIONS: Mapping[str, str] = {
    "cluster.id": "--cluster",
    "cluster.name": "--name",
    "cluster.tag": "--tag",
    "rules": "--rule",
    "until": "--until",
    "reason": "--reason",
    "approved_by": "--approved-by",
}
"""The option of each field of an exemption."""


def add(  # noqa: PLR0913 - each is an option
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

    Adds an exemption to the stored policy, or renews the one for the same clusters and rules.
    Select the clusters with --cluster, --name or --tag. If several are given, all of them must
    match. `emr-log-guard exempt --cluster …`, without add, does the same.

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
        fail(*(_of_option(problem, 0) for problem in problems))
    if until < today().isoformat():
        fail(f"--until: {until} is in the past")
    clients = clients_for(profile, region)
    store = PolicyStore.of(clients, stack, parameter)
    stored, document = _stored(store)
    exemptions = document.setdefault("exemptions", [])
    same = [number for number, other in enumerate(exemptions) if _same_scope(other, exemption)]
    if same:
        exemptions[same[0]] = exemption
    else:
        exemptions.append(exemption)
    place = exemptions.index(exemption)
    if problems := problems_of(json.dumps(document)):
        fail(*(_of_option(problem, place) for problem in problems))
    if cluster and store.stack:
        _warn_if_unknown(clients, store.stack, cluster)
    store.replace(stored, json.dumps(document), yes=yes, quiet=quiet)


def list_exemptions(
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    region: Region = None,
    profile: Profile = None,
    *,
    as_json: Json = False,
) -> None:
    """List the stored exemptions, with their numbers.

    Exit status: 0; or 2 without access, and when the stored policy is invalid.
    """
    _, document = _stored(PolicyStore.of(clients_for(profile, region), stack, parameter))
    exemptions = document.get("exemptions", [])
    date = today().isoformat()
    if as_json:
        echo_json({"exemptions": [each | {"expired": each["until"] < date} for each in exemptions]})
        return
    for number, each in enumerate(exemptions, 1):
        state = "expired" if each["until"] < date else "until"
        typer.echo(
            f"{number:>3}  {_selector(each['cluster'])}, {', '.join(each['rules'])}, "
            f"{state} {each['until']}: {plain(each['reason'])} "
            f"(approved by {plain(each['approved_by'])})"
        )
    if not exemptions:
        typer.echo("No exemptions.")


def remove(  # noqa: PLR0913 - each is an option
    numbers: Annotated[
        list[str],
        typer.Argument(metavar="NUMBER", help="Its number, as `exempt list` shows it."),
    ],
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    region: Region = None,
    profile: Profile = None,
    *,
    yes: Yes = False,
    quiet: Quiet = False,
) -> None:
    """Remove exemptions from the stored policy.

    Exit status: 0 when they are removed; 1 when you decline; 2 when there is no such exemption, or
    the change is refused.
    """
    store = PolicyStore.of(clients_for(profile, region), stack, parameter)
    stored, document = _stored(store)
    exemptions = document.get("exemptions", [])
    numbered = {str(number): each for number, each in enumerate(exemptions, 1)}
    for number in numbers:
        if number not in numbered:
            fail(f"there is no exemption {number}: `emr-log-guard exempt list` numbers them")
    document["exemptions"] = [each for n, each in numbered.items() if n not in numbers]
    store.replace(stored, json.dumps(document), yes=yes, quiet=quiet)


def _of_option(problem: str, place: int) -> str:
    """Name the option instead of the field of the exemption at this place."""
    field, separator, text = problem.removeprefix(f"exemptions[{place}].").partition(": ")
    return f"{_OPTIONS.get(field, field)}{separator}{text}"


def _stored(store: PolicyStore) -> tuple[StoredPolicy, dict[str, Any]]:
    """Read the stored policy; fail if it is invalid."""
    stored = store.read()
    if problems := problems_of(stored.text):
        fail(
            "the stored policy is invalid: correct it first, with `policy show` and `policy set`",
            *problems,
        )
    document: dict[str, Any] = json.loads(stored.text)
    return stored, document


def _same_scope(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two exemptions are for the same clusters and rules."""
    return one["cluster"] == other["cluster"] and set(one["rules"]) == set(other["rules"])


def _selector(cluster: Mapping[str, Any]) -> str:
    tags = [f"{key}={value}" for key, value in cluster.get("tag", {}).items()]
    parts = [cluster.get("id"), cluster.get("name"), *tags]
    return " and ".join(plain(part) for part in parts if part)


def _warn_if_unknown(clients: CommandClients, stack: str, cluster_id: str) -> None:
    """Warn if the stack does not know the cluster, as far as that can be read."""
    with suppress(NotDeployedError, HandoffFailedError, *AWS_ERRORS):
        table = deployed_stack(clients.cloudformation(), stack)[FINDINGS_TABLE]
        if DynamoFindingRepository(clients.dynamodb(), table).snapshot(cluster_id) is None:
            typer.echo(
                f"Warning: the stack {stack} in {clients.region} does not know the cluster "
                f"{cluster_id}: check the id",
                err=True,
            )
