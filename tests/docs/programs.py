"""What each program of the documentation would say of its arguments, without running anything."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any, cast

import typer
from typer.main import get_command

from emr_log_guard.cli.app import app as guard
from sandbox.cli import app as sandbox
from tests.docs import aws_cli
from tests.docs.pages import ROOT, Command

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z_]+) *[:?]?=", MAKEFILE, re.MULTILINE))

ORDINARY = {
    *("cat", "cd", "curl", "date", "echo", "eval", "export", "git", "grep", "head", "jq", "mkdir"),
    *("gh", "pipx", "read", "sha256sum", "sleep", "sort", "tail", "tar", "uv", "wc"),
}
"""Programs that a user has, and whose options are not checked."""

_SYNOPSIS = re.compile(r'\[[^"{]+\]|\{\w+\}|<.+>|…|\.\.\.')
_WRONG_USAGE = cast(
    "type[Exception]", typer.BadParameter.__base__
)  # Typer keeps click's UsageError to itself


def problems(command: Command) -> Iterator[str]:
    """Say what is wrong with a command; nothing if it would be understood."""
    program, *arguments = command.words
    # In a synopsis, such as `emr-log-guard policy set [OPTIONS] FILE`, some words are no arguments.
    words = tuple(word for word in arguments if not _SYNOPSIS.fullmatch(word))
    whole = command.whole and len(words) == len(arguments)
    if program.startswith(".venv/"):
        environment = program.split("/")[1]
        if not (ROOT / "requirements" / f"{environment}.txt").exists():
            yield f"no environment is made in .venv/{environment}"
    check = _CHECKS.get(program.rpartition("/")[2])
    if check is not None:
        yield from check(words, whole)
    elif program not in ORDINARY:
        yield f"{program} is no program that is known here"


def _aws(words: Sequence[str], whole: bool) -> Iterator[str]:  # noqa: FBT001 - all are called alike
    yield from aws_cli.problems(tuple(words), whole=whole)


def _make(words: Sequence[str], _whole: bool) -> Iterator[str]:  # noqa: FBT001
    for word in words:
        name, equals, _ = word.partition("=")
        if name not in (VARIABLES if equals else TARGETS):
            yield f"the Makefile has no {'variable' if equals else 'target'} {name}"


def _guard(words: Sequence[str], whole: bool) -> Iterator[str]:  # noqa: FBT001
    yield from _typed(guard, words, whole=whole)


def _python(words: Sequence[str], whole: bool) -> Iterator[str]:  # noqa: FBT001
    flag, module, *rest = (*words, "", "")
    if flag.endswith(".py") and (ROOT / flag).exists():
        return
    if flag != "-m" or find_spec(module) is None:
        yield f"python {' '.join(words)} runs no module of this repository"
    elif module == "sandbox":
        yield from _typed(sandbox, [word for word in rest if word], whole=whole)


def _typed(app: typer.Typer, words: Sequence[str], *, whole: bool) -> Iterator[str]:
    """Let a Typer application parse its arguments, and run nothing."""
    command: Any = get_command(app)
    rest = list(words)
    while commands := getattr(command, "commands", None):
        if not rest and not whole:
            return
        name = rest.pop(0) if rest else ""
        if name.startswith("-") and (default := getattr(command, "default_command", None)):
            rest.insert(0, name)
            name = default
        if name.startswith("-"):
            if name not in _options_of(command):
                yield f"there is no option {name}"
            return
        if name not in commands:
            yield f"there is no command {name!r}: they are {', '.join(commands)}"
            return
        command = commands[name]
    try:
        with redirect_stdout(StringIO()):
            command.make_context(command.name, rest)
    except _WRONG_USAGE as error:
        # Whoever only speaks of an option leaves out its value, and other options that are needed.
        left_out = type(error).__name__ in {"MissingParameter", "BadOptionUsage"}
        # `--format FORMAT` may stand in a sentence.
        stands_for_a_value = "is not one of" in str(error)
        if whole or not (left_out or stands_for_a_value):
            yield str(error)
    except typer.Exit:  # --help
        pass


def _options_of(command: Any) -> set[str]:  # noqa: ANN401 - Typer keeps its type to itself
    context = typer.Context(command, help_option_names=["-h", "--help"])
    return {option for parameter in command.get_params(context) for option in parameter.opts}


def _sam(words: Sequence[str], _whole: bool) -> Iterator[str]:  # noqa: FBT001
    """Only that there are words: its options are asked of it in its own environment."""
    if not words:
        yield "sam what?"


_CHECKS: Mapping[str, Callable[[Sequence[str], bool], Iterator[str]]] = {
    "aws": _aws,
    "emr-log-guard": _guard,
    "make": _make,
    "python": _python,
    "sam": _sam,
}
