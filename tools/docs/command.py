"""The page of the command: what Typer knows of each sub-command."""

from collections import Counter
from collections.abc import Iterator, Sequence

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
_SHARED = "Options of several sub-commands"
_SEVERAL = 3
"""How many sub-commands have an option that is described once."""

type _Record = tuple[str, str]
"""The name and the help of an argument or option."""


def command_page() -> str:
    """Describe each sub-command: its options, exit status and examples."""
    group = get_group(app)
    found = list(_commands(group, typer.Context(group, info_name=_NAME)))
    uses = Counter(record for command, context in found for record in _records(command, context))
    shared = [record for record, count in uses.items() if count >= _SEVERAL]
    sections = (part for command, context in found for part in _section(command, context, shared))
    return page(_NAME, _HEAD, f"## {_SHARED}", _table("option", shared), *sections)


def _commands(
    group: TyperGroup, context: typer.Context
) -> Iterator[tuple[SectionedCommand, typer.Context]]:
    for name, command in group.commands.items():
        below = typer.Context(
            command, info_name=name, parent=context, help_option_names=["-h", "--help"]
        )
        if isinstance(command, TyperGroup):
            yield from _commands(command, below)
        elif isinstance(command, SectionedCommand):
            yield command, below


def _records(command: SectionedCommand, context: typer.Context) -> Iterator[_Record]:
    for records in command.help_sections(context).values():
        yield from records


def _section(
    command: SectionedCommand, context: typer.Context, shared: Sequence[_Record]
) -> Iterator[str]:
    yield f"## {context.command_path.removeprefix(_NAME).strip()}"
    yield _console(" ".join((context.command_path, *command.collect_usage_pieces(context))))
    yield command.help or ""
    for title, records in command.help_sections(context).items():
        if own := [record for record in records if record not in shared]:
            yield _table(title.lower(), own)
    also = ", ".join(f"`{name}`" for name, _ in shared if (name, _) in _records(command, context))
    yield f"And [options of several sub-commands](#{_SHARED.lower().replace(' ', '-')}): {also}."
    _, _, examples = (command.epilog or "").partition("Examples:\n")
    yield "Examples:"
    yield _console("\n".join(line.removeprefix("  ") for line in examples.splitlines()))


def _table(title: str, records: Sequence[_Record]) -> str:
    return table((title, "meaning"), ((f"`{name}`", text) for name, text in records))


def _console(text: str) -> str:
    return f"```console\n{text}\n```"
