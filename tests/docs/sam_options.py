"""Print the options of commands of `sam`, as JSON: {"local invoke": ["--event", …], "x": null}.

Run by the Python of `.venv/sam`, which alone has the SAM CLI: nothing of this repository is here.
"""

import json
import sys
from typing import Any

import click
from samcli.cli.main import cli  # type: ignore[import-not-found]


def options(path: str) -> list[str] | None:
    """Give a command's options; None when there is no such command."""
    # With an object in it, the context makes `sam` import the command that it names.
    context = click.Context(cli, obj=True)
    command: Any = cli
    for name in path.split():
        command = command.get_command(context, name) if hasattr(command, "get_command") else None
        if command is None:
            return None
        context = click.Context(command, parent=context, obj=True)
    return [text for option in command.params for text in (*option.opts, *option.secondary_opts)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps({path: options(path) for path in sys.argv[1:]}))
