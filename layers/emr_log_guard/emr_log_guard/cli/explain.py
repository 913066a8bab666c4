"""The command `explain`: what is known about a cluster, and the decisions about it."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.dynamodb import DynamoFindingRepository
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import (
    DEFAULT_STACK,
    Json,
    Profile,
    Region,
    Stack,
    checked_cluster_id,
    clients_for,
    echo_json,
)
from emr_log_guard.cli.policy_diff import policy_of
from emr_log_guard.rendering.terminal.explanation import explanation, explanation_json
from emr_log_guard.usecases.replay.replay import FINDINGS_TABLE, POLICY_PARAMETER


def explain(
    cluster_id: Annotated[
        str, typer.Argument(metavar="CLUSTER_ID", help="A cluster id, such as j-2AXXXXXXGAPLF.")
    ],
    stack: Stack = DEFAULT_STACK,
    region: Region = None,
    profile: Profile = None,
    *,
    as_json: Json = False,
) -> None:
    """Show a cluster's findings, and every decision about it.

    That is its findings, rule by rule, and the decisions of the last year, as they are recorded.
    The cluster is not evaluated again.

    Exit status: 0; or 2 when the stack does not know the cluster, when there is no such stack, or
    no access.
    """
    checked_cluster_id(cluster_id)
    clients = clients_for(profile, region)
    deployed = deployed_stack(clients.cloudformation(), stack)
    repository = DynamoFindingRepository(clients.dynamodb(), deployed[FINDINGS_TABLE])
    stored = SsmPolicyParameter(clients.ssm(), deployed[POLICY_PARAMETER]).read()
    policy = policy_of(stored, deployed)
    history, decisions = repository.read(cluster_id), tuple(repository.decisions(cluster_id))
    if not (history.known or history.records or decisions):
        fail(
            f"the stack {stack} in {clients.region} does not know the cluster {cluster_id}: it "
            "never ran in this account and Region, was not checked yet, or was terminated over a "
            "year ago",
            hint="check the id, --region and --stack; "
            f"`emr-log-guard audit --cluster {cluster_id}` evaluates a cluster now",
        )
    now = datetime.now(UTC)
    if as_json:
        echo_json(explanation_json(cluster_id, history, decisions, policy, now))
    else:
        typer.echo(explanation(cluster_id, history, decisions, policy, now), nl=False)
