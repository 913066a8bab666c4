"""The page of the command: typer tells of its commands, and argparse of `audit`."""

from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterator

import typer
from typer.core import TyperGroup
from typer.main import get_group

from emr_log_guard.cli.app import app
from emr_log_guard.cli.audit import audit_parser
from tools.docs.markdown import page, table

_NAME = "emr-log-guard"
_HEAD = """\
`uv tool install .` or `pipx install .` puts it on your PATH. It uses your AWS credentials and your
Region. `--help` prints what is here. A status of 2 is wrong usage, or no access; the reason is on
standard error."""


def command_page() -> str:
    """Tell of every command, its options and its exit status."""
    group = get_group(app)
    return page(_NAME, _HEAD, *_commands(group, typer.Context(group, info_name=_NAME)))


def _commands(group: TyperGroup, context: typer.Context) -> Iterator[str]:
    for name, command in group.commands.items():
        below = typer.Context(command, info_name=name, parent=context)
        if isinstance(command, TyperGroup):
            yield from _commands(command, below)
        elif name == "audit":
            yield from _audit()
        else:
            yield from _command(below)


def _command(context: typer.Context) -> Iterator[str]:
    command = context.command
    yield f"## {context.command_path.removeprefix(_NAME).strip()}"
    yield _usage(context.command_path, *command.collect_usage_pieces(context))
    yield command.help or ""
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    yield _options(record for record in records if record)


def _audit() -> Iterator[str]:
    parser = audit_parser()
    yield "## audit"
    yield _usage(parser.prog, "[OPTIONS]")
    yield parser.description or ""
    yield parser.epilog or ""
    yield _options(_records(parser))


def _records(parser: ArgumentParser) -> Iterator[tuple[str, str]]:
    # argparse has no public way to list what it parses.
    for action in parser._actions:  # noqa: SLF001
        yield f"{', '.join(action.option_strings)} {_takes(action)}".strip(), _told(action)


def _takes(action: Action) -> str:
    if action.nargs == 0:
        return ""
    if action.metavar:
        return str(action.metavar)
    return "VALUE" if action.choices else action.dest.upper()


def _told(action: Action) -> str:
    told = action.help or ""
    if action.choices:
        told += f"{'; ' if told else ''}one of {', '.join(map(str, action.choices))}"
    if isinstance(action.default, str) and action.default != SUPPRESS:
        told += f"; else {action.default}"
    return told + ("; may be repeated" if action.default == [] else "")


def _usage(*words: str) -> str:
    return f"```console\n{' '.join(words)}\n```"


def _options(records: Iterator[tuple[str, str]]) -> str:
    return table(("option", "meaning"), ((f"`{name}`", told) for name, told in records))
