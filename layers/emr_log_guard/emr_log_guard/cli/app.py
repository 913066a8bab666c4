"""The root command: its sub-commands and options, and how their help is laid out."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from emr_log_guard.cli.audit import audit
from emr_log_guard.cli.exempt import add, list_exemptions, remove
from emr_log_guard.cli.exit_status import FAILED, ErrorReportingGroup
from emr_log_guard.cli.explain import explain
from emr_log_guard.cli.policy import set_policy, show, validate
from emr_log_guard.cli.prepare import prepare
from emr_log_guard.cli.reencrypt import reencrypt
from emr_log_guard.cli.replay import replay
from emr_log_guard.cli.rescan import rescan
from emr_log_guard.rendering.version import version

_NAME = "emr-log-guard"
_EVENT = "events/emr-cluster-state-change-starting.json"

# Plain help is wrapped to the terminal and can be piped; rich's boxes break lines at 80 columns.
app = typer.Typer(
    name=_NAME,
    cls=ErrorReportingGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
policy_app = typer.Typer(rich_markup_mode=None)


class ExemptGroup(TyperGroup):
    """The commands of `exempt`: without the name of one, it is `add`."""

    default_command = "add"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own type
        """Put the default command in front of options."""
        first = args[0] if args else ""
        if first not in {*self.commands, *ctx.help_option_names}:
            args = [self.default_command, *args]
        return super().parse_args(ctx, args)


exempt_app = typer.Typer(
    cls=ExemptGroup,
    rich_markup_mode=None,
    help="Exempt clusters from rules, and list or remove exemptions.\n\n"
    "Options without a command are those of `exempt add`.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if wanted:
        typer.echo(f"{_NAME} {version()}")
        raise typer.Exit


def _help_without_command(context: typer.Context) -> None:
    """Print the help of a group, as wrong usage, when no sub-command is given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(FAILED)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Check that the logs of Amazon EMR clusters are encrypted with an approved KMS key.

    `audit`, `prepare`, `policy validate` and `replay --local` need nothing deployed. The others
    work with the deployed stack in your account and Region.
    """
    _help_without_command(context)


@policy_app.callback(invoke_without_command=True)
def _policy(context: typer.Context) -> None:
    """Show, check and change the policy."""
    _help_without_command(context)


class SectionedCommand(TyperCommand):
    """A command whose help groups the options by their panel."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - Typer's own type
        """Name arguments in the usual form: FILE, not {FILE}."""
        return [re.sub("[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def help_sections(self, ctx: Any) -> Mapping[str, list[tuple[str, str]]]:  # noqa: ANN401
        """Return the name and the help of each argument and option, by section."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                name, text = record
                title = getattr(parameter, "rich_help_panel", None) or "Options"
                if parameter.param_type_name == "argument":
                    title, name = "Arguments", name.partition(" ")[0]  # without the Python type
                sections.setdefault(title, []).append((name, text))
        return sections

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the sections."""
        for title, records in self.help_sections(ctx).items():
            with formatter.section(title):
                formatter.write_dl(records)


def _add(
    group: typer.Typer, name: str, command: Callable[..., None], *examples: str, parent: str = ""
) -> None:
    """Add a sub-command, with examples at the end of its help."""
    # Lines after a backspace are not wrapped.
    lines = "\n".join(f"  {_NAME} {parent}{name}{f' {each}' if each else ''}" for each in examples)
    group.command(name, cls=SectionedCommand, epilog=f"\b\nExamples:\n{lines}")(command)


_add(
    app,
    "audit",
    audit,
    "",
    "--all-regions --objects --since 2026-03-01",
    "--region eu-west-1 --format html --output audit.html",
)
_add(
    app,
    "prepare",
    prepare,
    "--key alias/emr-logs --service-role EMR_DefaultRole \\\n"
    "      --instance-profile EMR_EC2_DefaultRole --log-uri s3://amzn-s3-demo-logs/",
)
_add(app, "explain", explain, "j-2AXXXXXXGAPLF")
_add(app, "rescan", rescan, "--wait", "--objects --deep")
_add(
    app,
    "reencrypt",
    reencrypt,
    "--dry-run",
    "--batch-job",
    "--cluster j-2AXXXXXXGAPLF --wait",
    "--deep",
)
_add(app, "replay", replay, _EVENT, f"{_EVENT} --local", "--dead-letters --max 10")
app.add_typer(policy_app, name="policy")
_add(policy_app, "show", show, "> policy.json", parent="policy ")
_add(policy_app, "validate", validate, "policy.json", "--resolve policy.json", parent="policy ")
_add(policy_app, "set", set_policy, "policy.json", parent="policy ")
app.add_typer(exempt_app, name="exempt")
_add(
    exempt_app,
    "add",
    add,
    "--name 'legacy-*' --rule EMRLOG-006 \\\n      --until 2026-12-31 --reason 'moves in autumn'",
    parent="exempt ",
)
_add(exempt_app, "list", list_exemptions, "", parent="exempt ")
_add(exempt_app, "remove", remove, "2", parent="exempt ")
