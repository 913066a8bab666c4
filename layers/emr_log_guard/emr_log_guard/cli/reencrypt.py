"""The command `reencrypt`: the deployed stack re-encrypts the log objects that exist."""

from typing import Annotated

import typer

from emr_log_guard.adapters.cache import WHOLE_RUN, CachedKeys
from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import (
    DEFAULT_STACK,
    Json,
    Profile,
    Quiet,
    Region,
    Stack,
    checked_cluster_id,
    clients_for,
    echo_json,
)
from emr_log_guard.cli.policy_diff import policy_of
from emr_log_guard.cli.policy_store import problems_of
from emr_log_guard.cli.rescan import count, start
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import ExitStatus
from emr_log_guard.domain.rescan import Scope
from emr_log_guard.rendering.terminal.reencryption import DryRun, dry_run_json, dry_run_text
from emr_log_guard.usecases.remediation.readers import compare_policies
from emr_log_guard.usecases.replay.replay import POLICY_PARAMETER, RESCAN_STATE_MACHINE


def reencrypt(  # noqa: PLR0913 - each is an option
    *,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ID", help="Only the log objects of this cluster."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Re-encrypt old versions of objects, too.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait until all are read and requested, and print the report."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only count what would be re-encrypted, what that costs, and who could read then.",
        ),
    ] = False,
    batch_job: Annotated[
        bool,
        typer.Option(
            "--batch-job",
            help="As --dry-run, and print the jobs of S3 Batch Operations that do the same.",
        ),
    ] = False,
    stack: Stack = DEFAULT_STACK,
    region: Region = None,
    profile: Profile = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Start the re-encryption of non-compliant log objects.

    A re-scan reads the log objects of all known clusters, reports them, and requests the
    re-encryption of those that the policy re-encrypts. The deployed stack then re-encrypts at most
    reencryption.max_objects_per_hour. First check who reads the logs: they need kms:Decrypt on the
    new key. --dry-run lists readers that would lose access, as far as key policies show.

    Exit status: 0 when it is started; 2 on wrong usage, without access, where the stack or the
    policy does not re-encrypt, and when the re-scan is refused or fails. With --wait: 0 when
    everything was compliant; 1 when something was not; 3 when something could not be determined or
    read. Start it again to see what is left.

    With --dry-run, a re-scan reads and reports the same, and requests nothing: 0 when nothing would
    be re-encrypted; 1 when something would, or should and cannot; 3 when something could not be
    read. From 10,000,000 objects on, it prints the jobs of S3 Batch Operations, as --batch-job does
    for any number: commands for you to run, which take less time.
    """
    counting = dry_run or batch_job
    if counting and wait:
        fail("--dry-run and --batch-job wait in any case: leave out --wait")
    if cluster is not None:
        checked_cluster_id(cluster)
    clients = clients_for(profile, region)
    deployed = deployed_stack(clients.cloudformation(), stack)
    stored = SsmPolicyParameter(clients.ssm(), deployed[POLICY_PARAMETER]).fetch()
    if problems := problems_of(stored.text):
        fail(*(f"the stored policy is invalid: {problem}" for problem in problems))
    if reason := policy_of(stored, deployed).why_not_reencrypted:
        fail(reason)
    machine = deployed[RESCAN_STATE_MACHINE]
    request = {"scope": Scope.LOG_OBJECTS, "deep": deep, "reencrypt": True, "cluster": cluster}
    if counting:
        ended, plan = count(clients, machine, request | {"dry_run": True}, quiet=quiet)
        would = ended.to_reencrypt - sum(plan.refused.values())
        keys = CachedKeys(KmsKeys(clients.kms), retention=WHOLE_RUN)
        readers = compare_policies(plan.changes, keys, Arn.of(machine).account)
        found = DryRun(would, ended.listed, ended.missed, plan, tuple(readers))
        _print_counted(found, ended.report, batch_job=batch_job, as_json=as_json)
    else:
        start(clients, machine, request, wait=wait, quiet=quiet, as_json=as_json)


def _print_counted(found: DryRun, report: str, *, batch_job: bool, as_json: bool) -> None:
    """Print what would be re-encrypted and what that costs, and exit."""
    if as_json:
        echo_json(dry_run_json(found))
    else:
        typer.echo(dry_run_text(found, jobs=batch_job or found.large), nl=False)
    if found.missed:
        typer.echo(f"Not all could be read: see {report}", err=True)
    if found.count or found.plan.refused:
        raise typer.Exit(ExitStatus.NON_COMPLIANT)
    if found.missed:
        raise typer.Exit(ExitStatus.UNDETERMINED)
