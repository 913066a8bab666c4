"""Exit statuses of the command, and how errors are printed."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from emr_log_guard.adapters.errors import AWS_ERRORS, call_failure
from emr_log_guard.errors import FunctionFailedError, GuardError
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.terminal.error_hints import error_hint

FAILED = 2
"""Wrong usage, no access, or an invalid document."""
INTERRUPTED = 130
"""The convention after Ctrl-C: 128 plus the number of SIGINT."""
_DECLINED = 1
_ABORTED = "Aborted: nothing was changed."
_NO_PROMPT = "To confirm without a prompt, add --yes."
_FUNCTION_FAILED = 1


class CommandFailedError(typer.TyperException):
    """The command cannot be run. Each problem is one line."""

    exit_code = FAILED

    def __init__(self, problems: Sequence[str], hint: str = "") -> None:
        """Name at least one problem, and what helps, if that is known."""
        super().__init__("\n".join(problems))
        self.problems = problems
        self.hint = hint


def fail(*problems: str, hint: str = "") -> NoReturn:
    """End the command with status 2 and show what is wrong, one problem a line, and what helps."""
    raise CommandFailedError(problems, hint)


class ErrorReportingGroup(TyperGroup):
    """The root command: prints every error in one format."""

    def main(self, *arguments: Any, **settings: Any) -> NoReturn:  # noqa: ANN401 - as Typer has it
        """Run, and exit with the command's status."""
        try:
            status = super().main(*arguments, **settings | {"standalone_mode": False})
        except (typer.TyperException, GuardError, *AWS_ERRORS) as error:
            for line in error_lines(error):
                typer.echo(line, err=True)
            raise SystemExit(_status_of(error)) from error
        except typer.Abort as declined:
            typer.echo(_ABORTED if sys.stdin.isatty() else f"\n{_ABORTED} {_NO_PROMPT}", err=True)
            raise SystemExit(_DECLINED) from declined
        raise SystemExit(status)


def error_lines(error: Exception) -> Iterator[str]:
    """Return what failed, AWS's message, and a hint."""
    match error:
        case CommandFailedError():
            yield from (f"Error: {problem}" for problem in error.problems)
            if error.hint:
                yield f"  Hint: {error.hint}"
        case typer.TyperException():
            yield f"Error: {_usage_problem(error)}"
        case _ if failure := call_failure(error):
            yield f"Error: {_line(failure.summary)}"
            if failure.aws_message:
                yield f"  AWS says: {_line(failure.aws_message)}"
            if failure.reason:
                yield f"  Reason: {_line(failure.reason)}"
            if hint := error_hint(failure.code, failure.summary.rpartition(" answered ")[0]):
                yield f"  Hint: {hint}"
        case _:
            yield f"Error: {_line(str(error))}"


def _usage_problem(error: typer.TyperException) -> str:
    # Typer keeps the type of errors in the usage, which know their command, private.
    context: typer.Context | None = getattr(error, "ctx", None)
    message = _line(error.format_message()).removesuffix(".")
    # Typer repeats the name of the error, and names every value an input.
    message = message.replace("Value error, ", "").replace("Input should be", "must be")
    message = f"{message[:1].lower()}{message[1:]}".replace(". Did you mean", "; did you mean")
    if not context:
        return message
    end = " See" if message.endswith("?") else "; see"
    return f"{message}{end} `{context.command_path} --help`"


def _line(text: str) -> str:
    """Write text on one line, without control characters."""
    return plain(" ".join(text.split()))


def _status_of(error: Exception) -> int:
    if isinstance(error, typer.TyperException):
        return error.exit_code
    return _FUNCTION_FAILED if isinstance(error, FunctionFailedError) else FAILED
