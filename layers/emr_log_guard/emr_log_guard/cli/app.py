"""The commands and their options."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from emr_log_guard.cli import audit as audit_command
from emr_log_guard.cli.approved import check_approved_keys
from emr_log_guard.cli.ending import fail
from emr_log_guard.cli.explain import explain
from emr_log_guard.cli.options import DEFAULT_STACK, Parameter, Stack
from emr_log_guard.cli.prepare import prepare
from emr_log_guard.cli.replay import replay
from emr_log_guard.cli.rescan import rescan
from emr_log_guard.cli.stored import Place, problems_of, read_file
from emr_log_guard.policy_document import pretty

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Look at and change what EMR Log Guard does in this account and Region.",
)
policy_app = typer.Typer(no_args_is_help=True, help="Show, check and change the policy.")
app.add_typer(policy_app, name="policy")
app.command()(prepare)
app.command()(replay)
app.command()(explain)
app.command()(rescan)

Yes = Annotated[bool, typer.Option("--yes", help="Write without asking.")]
Resolve = Annotated[
    bool, typer.Option("--resolve", help="Also look up each approved key in AWS KMS.")
]
AllowUnusableKeys = Annotated[
    bool,
    typer.Option(
        "--allow-unusable-keys",
        help="Store approved keys, too, that do not exist yet or that no cluster can log with.",
    ),
]
File = Annotated[Path, typer.Argument(help="A policy document, JSON; - for standard input.")]


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def audit(context: typer.Context) -> None:
    """Judge the clusters of accounts and Regions, with nothing deployed. Only reads."""
    raise typer.Exit(audit_command.audit(context.args))


@policy_app.command()
def show(stack: Stack = DEFAULT_STACK, parameter: Parameter = None) -> None:
    """Print the stored policy, ready to be edited and set again.

    Ends with status 0, or with 2 without access and when the policy is invalid: what is wrong is on
    standard error.
    """
    stored = Place.of(stack, parameter).read()
    problems = problems_of(stored.text)
    typer.echo(stored.text if problems else pretty(json.loads(stored.text)), nl=False)
    if problems:
        fail(*problems)


@policy_app.command()
def validate(file: File, *, resolve: Resolve = False) -> None:
    """Check a policy document, without touching AWS unless told to.

    Ends with status 0 when the guard would take it, with 2 when not. With --resolve it also ends
    with 2 when an approved key does not exist, is not customer-managed, enabled and symmetric, or
    is in another Region than yours; what cannot be read is a warning. This takes kms:DescribeKey.
    """
    text = read_file(file)
    problems = problems_of(text)
    if problems:
        fail(*problems)
    if resolve:
        check_approved_keys(text, None)
    typer.echo(f"{file} is valid.")


@policy_app.command("set")
def set_policy(
    file: File,
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    *,
    yes: Yes = False,
    allow_unusable_keys: AllowUnusableKeys = False,
) -> None:
    """Store a policy: checks it, shows what changes, asks, and writes.

    Refuses approved keys as `policy validate --resolve` does, unless they are allowed; and to write
    when somebody else changed the stored policy meanwhile. Ends with status 0 when it is stored or
    says the same already, 1 when you say no, and 2 when it is invalid or refused.
    """
    new = read_file(file)
    if problems := problems_of(new):
        fail(*problems)
    place = Place.of(stack, parameter)
    check_approved_keys(new, place.region, unusable_allowed=allow_unusable_keys)
    place.replace(place.read(), new, yes=yes)


@app.command()
def exempt(  # noqa: PLR0913 - each is an option
    *,
    rule: Annotated[list[str], typer.Option(help="A rule id, or * for all. May be repeated.")],
    until: Annotated[str, typer.Option(help="The last day on which it holds: 2026-12-31, UTC.")],
    reason: Annotated[str, typer.Option(help="Why, in one line.")],
    cluster: Annotated[str | None, typer.Option(help="A cluster's id.")] = None,
    name: Annotated[str | None, typer.Option(help="A pattern for names, such as legacy-*.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="KEY=VALUE. May be repeated.")] = None,
    approved_by: Annotated[str | None, typer.Option(help="Who approved it; else you.")] = None,
    stack: Stack = DEFAULT_STACK,
    parameter: Parameter = None,
    yes: Yes = False,
) -> None:
    """Spare clusters from rules until a day: adds an exemption to the stored policy.

    Say which clusters with --cluster, --name or --tag; given together, all of them must match. Ends
    with status 0 when it is stored, 1 when you say no, and 2 when something is wrong with it.
    """
    tags = dict(one.partition("=")[::2] for one in tag or ())
    if not all("=" in one for one in tag or ()):
        fail("--tag: write KEY=VALUE")
    match = {"id": cluster, "name": name, "tag": tags or None}
    wanted = {key: value for key, value in match.items() if value is not None}
    if not wanted:
        fail("say which clusters: --cluster ID, --name PATTERN or --tag KEY=VALUE")
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
        fail(f"--until: {until} is over already")
    place = Place.of(stack, parameter)
    stored = place.read()
    if problems := problems_of(stored.text):
        fail("the stored policy is invalid: correct it first", *problems)
    document = json.loads(stored.text)
    document.setdefault("exemptions", []).append(exemption)
    place.replace(stored, json.dumps(document), yes=yes)
