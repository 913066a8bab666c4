"""The command line: `python -m sandbox up | down | status`.

Shell assignments go to stdout; messages for the reader go to stderr.
"""

import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from sandbox import deployment, record
from sandbox.errors import SandboxError
from sandbox.fixtures import Fixtures
from sandbox.quotas import DEFAULT, parse_quotas
from sandbox.running import DEFAULT_PORT, DEFAULT_STACK, EmrPace, Sandbox

app = typer.Typer(
    rich_markup_mode=None,
    help="An emulated AWS account on this machine, with the stack deployed to it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
messages = Console(stderr=True, highlight=False)


EMR_QUOTAS = "--emr-quotas"
MISLEADING = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
"""Variables of the reader's shell that would point AWS tools elsewhere."""
AWS_CLI_1 = (
    'case "$(aws --version 2>&1)" in aws-cli/1.*) '
    'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; };; esac'
)
"""Version 1 of the AWS CLI sends calls of SQS and EMR to AWS, whatever AWS_ENDPOINT_URL says."""


class QuotasMayBeAlone(typer.core.TyperCommand):
    """A command whose `--emr-quotas` may have no value: Typer has no options like that."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer names no type
        """Parse the arguments, with the defaults as the value of an option without one."""
        following = [*args, "-"][1:]
        return super().parse_args(
            ctx,
            [
                f"{arg}={DEFAULT}" if arg == EMR_QUOTAS and after.startswith("-") else arg
                for arg, after in zip(args, following, strict=True)
            ],
        )


@app.command(cls=QuotasMayBeAlone)
def up(  # noqa: PLR0913 - each is an option of the command
    *,
    port: Annotated[
        int, typer.Option(metavar="PORT", help="The port to listen on.")
    ] = DEFAULT_PORT,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A template parameter.")
    ] = None,
    build: Annotated[bool, typer.Option(help="Build the template first.")] = True,
    launch_seconds: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Seconds until a cluster is RUNNING.")
    ] = EmrPace.launch,
    step_seconds: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Seconds that a step runs.")
    ] = EmrPace.step,
    end_seconds: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Seconds that a cluster is TERMINATING."),
    ] = EmrPace.termination,
    emr_quotas: Annotated[
        str | None,
        typer.Option(
            EMR_QUOTAS,
            metavar="[ACTION=BURST/RATE,…]",
            help="Throttle EMR's API, with its default quotas or those given.",
        ),
    ] = None,
    latency_ms: Annotated[
        float,
        typer.Option(min=0, metavar="MS", help="Delay each response by so many milliseconds."),
    ] = 0,
) -> None:
    """Start the account and deploy the stack. Print the environment variables to use it."""
    try:
        parameters = dict(_pair(given) for given in parameter or [])
        _check_known(parameters)
        pace = EmrPace(launch_seconds, step_seconds, end_seconds)
        start = partial(
            Sandbox.start,
            port=port,
            emr=pace,
            emr_quotas=None if emr_quotas is None else parse_quotas(emr_quotas),
            latency_ms=latency_ms,
        )
        _up(start, detach=detach, parameters=parameters, build=build)
    except SandboxError as error:
        _fail(error)


@app.command()
def down() -> None:
    """Stop the account. All its data is deleted."""
    sandbox = record.running()
    record.forget()
    if sandbox is None:
        messages.print("No sandbox is running.")
        return
    sandbox.stop()
    messages.print(f"The sandbox at {sandbox.endpoint} is stopped.")


@app.command()
def status() -> None:
    """Print the account's endpoint and the stack's status. Exit with 1 if no sandbox is running."""
    sandbox = record.running()
    if sandbox is None:
        messages.print("No sandbox is running: start one with `python -m sandbox up`.")
        raise typer.Exit(1)
    messages.print(f"endpoint  {sandbox.endpoint}")
    messages.print(f"process   {sandbox.pid}")
    messages.print(f"log       {sandbox.log}")
    messages.print(f"stack     {DEFAULT_STACK}: {sandbox.stack_status() or 'not deployed'}")


def exports(sandbox: Sandbox, outputs: dict[str, str]) -> list[str]:
    """Shell lines that point AWS tools at the account and export the stack's outputs."""
    variables = sandbox.environment | {
        f"EMR_LOG_GUARD_{_upper(name)}": value for name, value in sorted(outputs.items())
    }
    return [
        f"unset {' '.join(MISLEADING)}",
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        AWS_CLI_1,
    ]


def _up(
    start: Callable[..., Sandbox], *, detach: bool, parameters: dict[str, str], build: bool
) -> None:
    if (other := record.running()) is not None:
        message = f"a sandbox runs at {other.endpoint}: stop it with `python -m sandbox down`"
        raise SandboxError(message)
    signal.signal(signal.SIGTERM, _interrupt)
    record.FOLDER.mkdir(exist_ok=True)
    with messages.status("starting the account …"):
        sandbox = start(log=record.LOG, detach=detach)
    done = False
    try:
        record.save(sandbox)
        if build:
            with messages.status("building the template …"):
                deployment.build()
        with messages.status("deploying the stack …"):
            outputs = sandbox.deploy(parameters)
            Fixtures(sandbox).make_roles()
        sys.stdout.write("\n".join(exports(sandbox, outputs)) + "\n")
        sys.stdout.flush()
        messages.print(f"The account is running at {sandbox.endpoint}; its log is {sandbox.log}")
        if not detach:
            messages.print("Press Ctrl-C to stop it.")
            _stay(sandbox)
        done = detach
    except KeyboardInterrupt:
        messages.print("Stopping the account.")
    finally:
        if not done:
            sandbox.stop()
            record.forget()


def _stay(sandbox: Sandbox) -> None:
    while sandbox.alive():
        time.sleep(0.5)
    message = f"the account's process exited unexpectedly:\n{sandbox.logs_tail()}"
    raise SandboxError(message)


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (name and equals):
        message = f"--parameter {given}: expected NAME=VALUE"
        raise SandboxError(message)
    return name, value


def _check_known(parameters: Iterable[str]) -> None:
    unknown = sorted({*parameters} - deployment.parameter_names())
    if unknown:
        message = f"the template has no parameter {', '.join(unknown)}"
        raise SandboxError(message)


def _upper(name: str) -> str:
    """An output's name as a shell variable: AlertsTopicArn becomes ALERTS_TOPIC_ARN."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _fail(error: SandboxError) -> NoReturn:
    messages.print("[bold red]error:[/]", end=" ")
    messages.print(str(error), markup=False, soft_wrap=True)
    raise typer.Exit(1)
