"""How the command ends: its exit statuses, and the one form in which errors are shown."""

from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from emr_log_guard.rendering.escape import plain

FAILED = 2
"""Wrong usage, no access, or an invalid document."""
INTERRUPTED = 130
"""What a shell expects after Ctrl-C: 128 plus the number of SIGINT."""
_DECLINED = 1


class CommandFailedError(typer.TyperException):
    """The command cannot do what it was asked to do. Each problem is one line."""

    exit_code = FAILED

    def __init__(self, problems: Sequence[str]) -> None:
        """Name at least one problem."""
        super().__init__("\n".join(problems))
        self.problems = problems


def fail(*problems: str) -> NoReturn:
    """End the command with status 2 and show what is wrong, one problem a line."""
    raise CommandFailedError(problems)


class ErrorReportingGroup(TyperGroup):
    """The root command: whatever fails below it is shown by `show_error`."""

    def main(self, *arguments: Any, **settings: Any) -> NoReturn:  # noqa: ANN401 - as Typer has it
        """Run, and exit with the command's status."""
        try:
            status = super().main(*arguments, **settings | {"standalone_mode": False})
        except typer.TyperException as error:
            show_error(error)
            raise SystemExit(error.exit_code) from error
        except typer.Abort as declined:
            typer.echo("Aborted: nothing was changed.", err=True)
            raise SystemExit(_DECLINED) from declined
        raise SystemExit(status)


def show_error(error: typer.TyperException) -> None:
    """Write to standard error what went wrong and, for wrong usage, where help is."""
    problems = error.problems if isinstance(error, CommandFailedError) else [_usage_problem(error)]
    for problem in problems:
        typer.echo(f"Error: {problem}", err=True)


def _usage_problem(error: typer.TyperException) -> str:
    # Typer keeps the type of errors in the usage, which know their command, to itself.
    context: typer.Context | None = getattr(error, "ctx", None)
    message = " ".join(plain(error.format_message()).split()).removesuffix(".")
    message = message.replace("Value error, ", "")  # Typer repeats what raised it
    return f"{message}; see `{context.command_path} --help`" if context else message
