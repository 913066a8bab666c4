"""The page of the command: what Typer knows of each sub-command."""

from collections.abc import Iterator

import typer
from typer.core import TyperGroup
from typer.main import get_group

from emr_log_guard.cli.app import SectionedCommand, app
from tools.docs.markdown import page, table

_NAME = "emr-log-guard"
_HEAD = """\
The command audits clusters, and works with the deployed stack. `audit`, `prepare`,
`policy validate` and `replay --local` need nothing deployed.

To install it: `uv tool install .` or `pipx install .` in a clone; then `emr-log-guard
--install-completion` adds shell completion. `-h` or `--help` after a sub-command prints its part of
this page. Exit status 2 means wrong usage, or no access; the reason is on standard error."""


def command_page() -> str:
    """Describe each sub-command: its options, exit status and examples."""
    group = get_group(app)
    return page(_NAME, _HEAD, *_commands(group, typer.Context(group, info_name=_NAME)))


def _commands(group: TyperGroup, context: typer.Context) -> Iterator[str]:
    for name, command in group.commands.items():
        below = typer.Context(
            command, info_name=name, parent=context, help_option_names=["-h", "--help"]
        )
        if isinstance(command, TyperGroup):
            yield from _commands(command, below)
        elif isinstance(command, SectionedCommand):
            yield from _command(command, below)


def _command(command: SectionedCommand, context: typer.Context) -> Iterator[str]:
    yield f"## {context.command_path.removeprefix(_NAME).strip()}"
    yield _console(" ".join((context.command_path, *command.collect_usage_pieces(context))))
    yield command.help or ""
    for title, records in command.help_sections(context).items():
        yield table((title.lower(), "meaning"), ((f"`{name}`", text) for name, text in records))
    _, _, examples = (command.epilog or "").partition("Examples:\n")
    yield "Examples:"
    yield _console("\n".join(line.removeprefix("  ") for line in examples.splitlines()))


def _console(text: str) -> str:
    return f"```console\n{text}\n```"
