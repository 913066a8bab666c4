"""The command `explain`: what is known about a cluster, and the decisions about it."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from emr_log_guard.adapters import clients, command_clients
from emr_log_guard.adapters.aws_errors import AWS_ERRORS
from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import DEFAULT_STACK, Stack, checked_cluster_id
from emr_log_guard.errors import NotDeployedError, NotHandedOverError
from emr_log_guard.rendering.explanation import explanation
from emr_log_guard.usecases.policy_in_force import policy_of
from emr_log_guard.usecases.replay import ENFORCE, FINDINGS_TABLE, POLICY_PARAMETER, DeployedStack


def explain(
    cluster_id: Annotated[
        str, typer.Argument(metavar="CLUSTER_ID", help="A cluster id, such as j-2AXXXXXXGAPLF.")
    ],
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Show what is known about a cluster, and every decision about it.

    That is its findings, rule by rule, and the decisions of the last year, as they are recorded.
    The cluster is not evaluated again.

    Exit status: 0; or 2 when there is no such stack, or no access.
    """
    checked_cluster_id(cluster_id)
    try:
        deployed = deployed_stack(command_clients.cloudformation(), stack)
        typer.echo(_explanation(cluster_id, deployed), nl=False)
    except (NotDeployedError, NotHandedOverError, *AWS_ERRORS) as error:
        fail(str(error))


def _explanation(cluster_id: str, stack: DeployedStack) -> str:
    ledger = DynamoLedger(clients.dynamodb(), stack[FINDINGS_TABLE])
    stored = SsmPolicyParameter(clients.ssm(), stack[POLICY_PARAMETER]).read()
    policy = policy_of(stored, allowed=ENFORCE in stack.resources)
    memory, history = ledger.read(cluster_id), ledger.history(cluster_id)
    return explanation(cluster_id, memory, history, policy, datetime.now(UTC))
