"""The effect of a new policy, shown before it is stored: a diff, and changed findings."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.dynamodb import DynamoFindingRepository
from emr_log_guard.adapters.errors import AWS_ERRORS
from emr_log_guard.cli.options import today
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import HandoffFailedError, InvalidPolicyError, NotDeployedError
from emr_log_guard.policy_document import STRICT, parse_policy
from emr_log_guard.rendering.terminal.policy_impact import OpenFinding, changed_impacts
from emr_log_guard.usecases.ports import StoredPolicy, UnreadablePolicy
from emr_log_guard.usecases.replay.replay import (
    ENFORCE,
    FINDINGS_TABLE,
    REENCRYPT,
    DeployedStack,
)

if TYPE_CHECKING:
    from emr_log_guard.domain.clusters import Cluster


_COLORS = {"+": "green", "-": "red", "@": "cyan"}


def show(changes: Iterable[str], impact: Iterable[str]) -> None:
    """Print the lines of a unified diff, and what they would change for open findings."""
    console = Console(highlight=False, soft_wrap=True)
    for line in changes:
        console.print(Text(line, style=_COLORS.get(line[0], "")))
    for line in impact:
        typer.echo(line)


def impact_of(clients: CommandClients, stack: str, old: StoredPolicy, new: str) -> tuple[str, ...]:
    """Return what would change for each open finding; print why, if that is undetermined."""
    try:
        deployed = deployed_stack(clients.cloudformation(), stack)
        repository = DynamoFindingRepository(clients.dynamodb(), deployed[FINDINGS_TABLE])
        findings = tuple(_open_findings(repository))
    except (NotDeployedError, HandoffFailedError, *AWS_ERRORS) as error:
        typer.echo(
            f"What it would change for open findings could not be determined: {error}", err=True
        )
        return ()
    allowed = ENFORCE in deployed.resources
    before = policy_of(old, deployed)
    after = policy_of(StoredPolicy(new, old.version + 1), deployed)
    changes = list(changed_impacts(findings, before, after, datetime.now(UTC)))
    lines = [f"Of {len(findings)} open findings it would change {len(changes) or 'none'}."]
    lines += [f"  {change}" for change in changes]
    if after.mode is Mode.ENFORCE and not allowed:
        lines.append(
            f"In mode enforce, stack {stack} terminates nothing: it was deployed without "
            "EnforcementAllowed=true."
        )
    if after.reencryption.enabled and not after.reencryption.allowed:
        lines.append(
            f"Stack {stack} re-encrypts nothing: it was deployed without ReencryptionAllowed=true."
        )
    return tuple(lines)


def _open_findings(repository: DynamoFindingRepository) -> Iterator[OpenFinding]:
    clusters: dict[str, Cluster | None] = {}
    for record in repository.open_records():
        cluster_id = record.finding.cluster_id
        if cluster_id not in clusters:
            known = repository.snapshot(cluster_id)
            clusters[cluster_id] = known.cluster if known else None
        yield record, clusters[cluster_id]


def policy_of(stored: StoredPolicy | UnreadablePolicy, deployed: DeployedStack) -> Policy:
    """Return the policy in effect in a stack: the stored one, or the strict defaults."""
    if isinstance(stored, UnreadablePolicy):
        return STRICT
    try:
        policy = parse_policy(
            stored.text,
            today(),
            allowed=ENFORCE in deployed.resources,
            reencryption_allowed=REENCRYPT in deployed.resources,
        )
        return replace(policy, version=stored.version, stored_at=stored.stored_at)
    except InvalidPolicyError:
        return STRICT
