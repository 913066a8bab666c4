"""The command `reencrypt`: the deployed stack re-encrypts the log objects that exist."""

from typing import Annotated

import typer

from emr_log_guard.adapters.cloudformation import deployed_stack
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
)
from emr_log_guard.cli.policy_diff import policy_of
from emr_log_guard.cli.policy_store import problems_of
from emr_log_guard.cli.rescan import start
from emr_log_guard.domain.rescan import Scope
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
    stack: Stack = DEFAULT_STACK,
    region: Region = None,
    profile: Profile = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Start the re-encryption of all non-compliant log objects of known clusters.

    A re-scan reads them all, reports them, and requests the re-encryption of those that the policy
    re-encrypts. The deployed stack then re-encrypts at most reencryption.max_objects_per_hour.
    First check who reads the logs: they need kms:Decrypt on the new key.

    Exit status: 0 when it is started; 2 on wrong usage, without access, where the stack or the
    policy does not re-encrypt, and when the re-scan is refused or fails. With --wait: 0 when
    everything was compliant; 1 when something was not; 3 when something could not be determined or
    read. Start it again to see what is left.
    """
    if cluster is not None:
        checked_cluster_id(cluster)
    clients = clients_for(profile, region)
    deployed = deployed_stack(clients.cloudformation(), stack)
    stored = SsmPolicyParameter(clients.ssm(), deployed[POLICY_PARAMETER]).fetch()
    if problems := problems_of(stored.text):
        fail(*(f"the stored policy is invalid: {problem}" for problem in problems))
    if reason := policy_of(stored, deployed).why_not_reencrypted:
        fail(reason)
    request = {"scope": Scope.LOG_OBJECTS, "deep": deep, "reencrypt": True, "cluster": cluster}
    start(clients, deployed[RESCAN_STATE_MACHINE], request, wait=wait, quiet=quiet, as_json=as_json)
