"""The command `replay`: an event, or the dead letters, handed to the guard once more."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from emr_log_guard.adapters import clients, command_clients
from emr_log_guard.adapters.aws_errors import AWS_ERRORS
from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.dead_letters import SqsQueues
from emr_log_guard.adapters.functions import LambdaFunctions
from emr_log_guard.cli.ending import fail
from emr_log_guard.cli.options import DEFAULT_STACK, Parameter, Stack
from emr_log_guard.cli.replay_dead_letters import replay_dead_letters
from emr_log_guard.cli.replay_local import judge_here
from emr_log_guard.cli.stored import Place, problems_of, read_file, read_policy
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import (
    FunctionFailedError,
    InvalidEventError,
    NotDeployedError,
    NotHandedOverError,
)
from emr_log_guard.events.replay import (
    ForCheckCluster,
    ForCheckLogObjects,
    ForEnforce,
    Replayable,
    parse_replayable,
)
from emr_log_guard.policy_document import parse_policy
from emr_log_guard.rendering.escape import plain
from emr_log_guard.usecases.replay import Replay

_MANY = 100


def replay(  # noqa: PLR0913 - each is an option
    file: Annotated[
        Path | None, typer.Argument(metavar="EVENT.json", help="An event; - for standard input.")
    ] = None,
    *,
    local: Annotated[
        bool, typer.Option("--local", help="Judge here: nothing deployed is needed, nothing done.")
    ] = False,
    policy: Annotated[
        Path | None, typer.Option(help="With --local: judge by this policy document.")
    ] = None,
    parameter: Parameter = None,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Replay what is in the dead-letter queue.")
    ] = False,
    maximum: Annotated[
        int, typer.Option("--max", min=1, help="With --dead-letters: no more than so many.")
    ] = _MANY,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Hand an event to the deployed guard and say what came of it, or judge it here.

    EVENT.json may be any of the events that the guard handles, as EventBridge, SQS or SNS deliver
    it. With --local the cluster or log object is read with your credentials and judged by the
    policy's defaults, --policy or --parameter: the status is then 0 when it is compliant, 1 when
    not, 3 when that could not be determined. Otherwise it is 0, or 1 when the function failed.
    It is 2 for wrong usage, and without access.
    """
    if dead_letters == (file is not None):
        fail("say what to replay: EVENT.json, or --dead-letters")
    if (policy or parameter) and not local:
        fail("--policy and --parameter are for --local: the deployed guard has its own policy")
    if file is None:
        if local:
            fail("--local judges one event: give EVENT.json")
        raise typer.Exit(_told(lambda: replay_dead_letters(_deployed(stack), maximum, yes=yes)))
    what = _read(file)
    if local:
        if not isinstance(what, ForCheckCluster | ForCheckLogObjects):
            fail(f"--local judges clusters and log objects, not this: {what.title}")
        raise typer.Exit(judge_here(what, _policy(policy, parameter)))
    raise typer.Exit(_told(lambda: _replay(what, stack, yes=yes)))


def _replay(what: Replayable, stack: str, *, yes: bool) -> int:
    deployed = _deployed(stack)
    if isinstance(what, ForEnforce) and not yes:
        typer.confirm(f"{what.title}: hand this to enforce, which may terminate?", abort=True)
    typer.echo(plain(f"{what.title}: {deployed.run(what)}"))
    return 0


def _told(run: Callable[[], int]) -> int:
    """Run, and say in words what went wrong: status 1 when a function failed, 2 for the rest."""
    try:
        return run()
    except FunctionFailedError as error:
        typer.echo(f"Error: {plain(str(error))}", err=True)
        return 1
    except (NotDeployedError, NotHandedOverError, *AWS_ERRORS) as error:
        fail(str(error))


def _deployed(stack: str) -> Replay:
    return Replay(
        deployed_stack(command_clients.cloudformation(), stack),
        LambdaFunctions(command_clients.functions()),
        SqsQueues(clients.sqs()),
    )


def _read(file: Path) -> Replayable:
    text = read_file(file)
    try:
        event: Any = json.loads(text)
    except ValueError as error:
        fail(f"{file} is not JSON: {error}")
    try:
        return parse_replayable(event)
    except InvalidEventError as error:
        fail(f"{file} is nothing that the guard handles: {error}")


def _policy(file: Path | None, parameter: str | None) -> Policy:
    """Read the policy to judge by; without any, its defaults."""
    if file is not None and parameter is not None:
        fail("give --policy or --parameter, not both")
    if file is not None:
        return read_policy(file)
    if parameter is None:
        return Policy()
    text = Place.of(DEFAULT_STACK, parameter).read().text
    if problems := problems_of(text):
        fail(*problems)
    return parse_policy(text)
