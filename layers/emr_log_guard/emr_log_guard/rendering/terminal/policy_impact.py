"""What a policy means for an open finding, for `explain` and `policy set`."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import enforceable_findings, exempted, exemption_text
from emr_log_guard.domain.finding_record import FindingRecord
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rendering.escape import plain

type OpenFinding = tuple[FindingRecord, Cluster | None]
"""An open finding, and its cluster if known."""


def policy_impact(
    record: FindingRecord,
    cluster: Cluster | None,
    policy: Policy,
    now: datetime,
    *,
    reencrypted: bool = False,
) -> str:
    """Describe what a policy means for a finding.

    Args:
        record: The finding.
        cluster: Its cluster as last recorded: exemptions may match its tags.
        policy: The policy.
        now: The present moment, UTC.
        reencrypted: Whether all logs of the cluster are re-encrypted as they are written.

    """
    if not record.open:
        return "resolved"
    standing = replace(record.finding, status=Status.OPEN)
    (finding,) = exempted((standing,), cluster, policy, now)
    if finding.status is Status.EXEMPT:
        return plain(exemption_text(finding))
    mode = policy.mode_of(finding.rule_id)
    if mode is Mode.OBSERVE:
        return "recorded only"
    if not enforceable_findings((finding,), policy) or not policy.enforcement.allowed:
        return "alerted; no action on the cluster"
    if not enforceable_findings((finding,), policy, reencrypted=reencrypted):
        return "alerted; no action on the cluster while all of its logs are re-encrypted"
    ends = record.grace_ends(policy.enforcement)
    when = "now" if ends <= now else f"at {ends:%Y-%m-%d %H:%M:%S} UTC"
    return f"alerted; the cluster is terminated {when}"


def changed_impacts(
    findings: Iterable[OpenFinding], old: Policy, new: Policy, now: datetime
) -> Iterator[str]:
    """Describe the change for each open finding that a new policy affects."""
    for record, cluster in findings:
        before, after = (policy_impact(record, cluster, policy, now) for policy in (old, new))
        if before != after:
            finding = record.finding
            name = f" {plain(finding.cluster_name)}" if finding.cluster_name else ""
            yield f"{finding.cluster_id}{name}, {finding.rule_id}: {before} -> {after}"
