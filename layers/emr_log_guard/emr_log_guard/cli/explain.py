"""The command `explain`: what is known about a cluster, and the decisions about it."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.cli.options import (
    DEFAULT_STACK,
    Profile,
    Region,
    Stack,
    checked_cluster_id,
    clients_for,
)
from emr_log_guard.rendering.explanation import explanation
from emr_log_guard.usecases.policy_in_force import policy_of
from emr_log_guard.usecases.replay import ENFORCE, FINDINGS_TABLE, POLICY_PARAMETER, DeployedStack


def explain(
    cluster_id: Annotated[
        str, typer.Argument(metavar="CLUSTER_ID", help="A cluster id, such as j-2AXXXXXXGAPLF.")
    ],
    stack: Stack = DEFAULT_STACK,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show what is known about a cluster, and every decision about it.

    That is its findings, rule by rule, and the decisions of the last year, as they are recorded.
    The cluster is not evaluated again.

    Exit status: 0; or 2 when there is no such stack, or no access.
    """
    checked_cluster_id(cluster_id)
    clients = clients_for(profile, region)
    deployed = deployed_stack(clients.cloudformation(), stack)
    typer.echo(_explanation(cluster_id, clients, deployed), nl=False)


def _explanation(cluster_id: str, clients: CommandClients, stack: DeployedStack) -> str:
    ledger = DynamoLedger(clients.dynamodb(), stack[FINDINGS_TABLE])
    stored = SsmPolicyParameter(clients.ssm(), stack[POLICY_PARAMETER]).read()
    policy = policy_of(stored, allowed=ENFORCE in stack.resources)
    memory, history = ledger.read(cluster_id), ledger.history(cluster_id)
    return explanation(cluster_id, memory, history, policy, datetime.now(UTC))
