"""What a new policy would change for today's open findings, shown before it is stored."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from emr_log_guard.adapters import clients, command_clients
from emr_log_guard.adapters.aws_errors import AWS_ERRORS
from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.errors import NotDeployedError, NotHandedOverError
from emr_log_guard.rendering.fate import Standing, changed_fates
from emr_log_guard.usecases.policy_in_force import policy_of
from emr_log_guard.usecases.ports import StoredPolicy
from emr_log_guard.usecases.replay import ENFORCE, FINDINGS_TABLE

if TYPE_CHECKING:
    from emr_log_guard.domain.clusters import Cluster


def show_effect(stack: str, old: StoredPolicy, new: str) -> None:
    """Print what would change for each open finding, or why that cannot be told."""
    try:
        deployed = deployed_stack(command_clients.cloudformation(), stack)
        ledger = DynamoLedger(clients.dynamodb(), deployed[FINDINGS_TABLE])
        standing = tuple(_standing(ledger))
    except (NotDeployedError, NotHandedOverError, *AWS_ERRORS) as error:
        typer.echo(f"What would change for open findings is unknown: {error}", err=True)
        return
    allowed = ENFORCE in deployed.resources
    before = policy_of(old, allowed=allowed)
    after = policy_of(StoredPolicy(new, old.version + 1), allowed=allowed)
    changes = list(changed_fates(standing, before, after, datetime.now(UTC)))
    typer.echo(f"Of {len(standing)} open findings it would change {len(changes) or 'none'}.")
    for change in changes:
        typer.echo(f"  {change}")


def _standing(ledger: DynamoLedger) -> Iterator[Standing]:
    clusters: dict[str, Cluster | None] = {}
    for entry in ledger.open_entries():
        cluster_id = entry.finding.cluster_id
        if cluster_id not in clusters:
            known = ledger.recall(cluster_id)
            clusters[cluster_id] = known.cluster if known else None
        yield entry, clusters[cluster_id]
