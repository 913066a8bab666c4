"""How a command ends when it cannot do what it was asked."""

from typing import NoReturn

import typer


def fail(*problems: str) -> NoReturn:
    """Say what is wrong, one thing a line, and end with status 2."""
    for problem in problems:
        typer.echo(f"Error: {problem}", err=True)
    raise typer.Exit(2)
