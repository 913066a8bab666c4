"""The command `rescan`: the deployed stack evaluates every cluster and log object again."""

import time
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console

from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.stepfunctions import RescanOutcome, RescanRuns
from emr_log_guard.cli.exit_status import INTERRUPTED, fail
from emr_log_guard.cli.options import (
    DEFAULT_STACK,
    Json,
    Profile,
    Quiet,
    Region,
    Stack,
    clients_for,
    echo_json,
)
from emr_log_guard.cli.progress import progress_bar
from emr_log_guard.domain.audit import ExitStatus
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.reencryption_plan import ReencryptionPlan
from emr_log_guard.domain.rescan import Scope
from emr_log_guard.rendering.escape import plain
from emr_log_guard.usecases.replay.replay import RESCAN_STATE_MACHINE

POLL_SECONDS = 2.0
_STATUS = {
    Compliance.COMPLIANT: ExitStatus.COMPLIANT,
    Compliance.NON_COMPLIANT: ExitStatus.NON_COMPLIANT,
}


def rescan(  # noqa: PLR0913 - each is an option
    *,
    clusters: Annotated[bool, typer.Option("--clusters", help="Re-scan clusters only.")] = False,
    objects: Annotated[bool, typer.Option("--objects", help="Re-scan log objects only.")] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read every object again, old versions included."),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it has finished, and print the report.")
    ] = False,
    stack: Stack = DEFAULT_STACK,
    region: Region = None,
    profile: Profile = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Start a re-scan of all clusters and log objects.

    The deployed stack evaluates them again and raises alerts for what is new.

    Exit status: 0 when it is started; 2 on wrong usage, without access, and when the re-scan is
    refused or fails. With --wait: 0 when everything is compliant; 1 when something is not; 3 when
    something could not be determined or read.
    """
    scope = Scope.ALL
    if clusters is not objects:
        scope = Scope.CLUSTERS if clusters else Scope.LOG_OBJECTS
    clients = clients_for(profile, region)
    machine = deployed_stack(clients.cloudformation(), stack)[RESCAN_STATE_MACHINE]
    request = {"scope": scope, "deep": deep}
    start(clients, machine, request, wait=wait, quiet=quiet, as_json=as_json)


def start(  # noqa: PLR0913 - options of the commands that start re-scans
    clients: CommandClients,
    machine: str,
    request: Mapping[str, object],
    *,
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Start a re-scan, and print its report if it is waited for."""
    runs = RescanRuns(clients.states(), clients.s3(), machine)
    execution = _started(runs, request)
    if not wait:
        _print_started(execution, quiet=quiet, as_json=as_json)
        return
    ended = _finished(runs, execution, quiet=quiet)
    report = runs.read(ended.report if as_json else ended.text).decode()
    typer.echo(report.rstrip("\n"))
    if not quiet:
        typer.echo(f"To open it in a browser: aws s3 cp {ended.page} .", err=True)
    raise typer.Exit(_STATUS.get(Compliance(ended.compliance), ExitStatus.UNDETERMINED))


def count(
    clients: CommandClients, machine: str, request: Mapping[str, object], *, quiet: bool
) -> tuple[RescanOutcome, ReencryptionPlan]:
    """Have a dry run made, and return what it found; fail when it does not succeed."""
    runs = RescanRuns(clients.states(), clients.s3(), machine)
    ended = _finished(runs, _started(runs, request), quiet=quiet)
    return ended, runs.plan(ended)


def _started(runs: RescanRuns, request: Mapping[str, object]) -> str:
    if running := runs.running():
        fail(f"a re-scan is running: {running}; wait until it has finished, or stop it")
    return runs.start(request)


def _finished(runs: RescanRuns, execution: str, *, quiet: bool) -> RescanOutcome:
    if not quiet:
        typer.echo(f"Started {execution}", err=True)
    ended = _watched(runs, execution, quiet=quiet)
    if not ended.succeeded:
        fail(f"the re-scan ended without a report: {plain(ended.why)}")
    return ended


def _print_started(execution: str, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        echo_json({"execution_arn": execution})
        return
    typer.echo(f"Started {execution}")
    if not quiet:
        typer.echo("When it finishes, the alert rescan.done is sent. To wait for it, use --wait.")


def _watched(runs: RescanRuns, execution: str, *, quiet: bool) -> RescanOutcome:
    """Wait until it has finished; on a terminal, show its progress."""
    console = Console(stderr=True)
    interactive = console.is_terminal and not quiet
    try:
        with progress_bar(console=console, shown=interactive) as bar:
            task = bar.add_task("shards", total=None)
            while (ended := runs.ended(execution)) is None:
                if interactive:
                    done, total = runs.progress(execution)
                    bar.update(task, completed=done, total=total or None, refresh=True)
                time.sleep(POLL_SECONDS)
            return ended
    except KeyboardInterrupt:
        typer.echo(f"No longer waiting; the re-scan continues: {execution}", err=True)
        raise typer.Exit(INTERRUPTED) from None
