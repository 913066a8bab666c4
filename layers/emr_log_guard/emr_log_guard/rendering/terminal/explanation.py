"""What the guard knows about a cluster, and what it decided about it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decisions import Decision, distinct
from emr_log_guard.domain.finding_record import (
    ClusterHistory,
    ClusterSnapshot,
    FindingRecord,
    logs_reencrypted,
)
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rendering.alerts.alert_json import finding_json
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.terminal.policy_impact import policy_impact
from emr_log_guard.rules import ALL_RULES, BUCKET_RULES

SCHEMA = "emr-log-guard/explanation/1"


def explanation(
    cluster_id: str,
    history: ClusterHistory,
    decisions: Iterable[Decision],
    policy: Policy,
    now: datetime,
) -> str:
    """Write what is known about a cluster, rule by rule, and what was decided about it.

    Args:
        cluster_id: The cluster.
        history: The finding records and snapshot of the cluster.
        decisions: The decisions about it.
        policy: What security wants now.
        now: The present moment, UTC.

    """
    return "\n".join(_lines(cluster_id, history, tuple(distinct(decisions)), policy, now)) + "\n"


def explanation_json(
    cluster_id: str,
    history: ClusterHistory,
    decisions: Iterable[Decision],
    policy: Policy,
    now: datetime,
) -> dict[str, object]:
    """Return the same for programs: the schema `emr-log-guard/explanation/1`."""
    known = history.known
    cluster = known.cluster if known else None
    reencrypted = logs_reencrypted(history.records.values(), policy, now)
    return {
        "schema": SCHEMA,
        "cluster_id": cluster_id,
        "cluster": _cluster_json(known) if known else None,
        "policy": {"version": policy.version, "mode": policy.mode},
        "findings": [
            finding_json(record.finding)
            | {
                "notified_at": record.last_notified.at.isoformat()
                if record.last_notified
                else None,
                "reencryption": _reencryption_json(record),
                "now": policy_impact(record, cluster, policy, now, reencrypted=reencrypted),
            }
            for _, record in sorted(history.records.items())
        ],
        "history": [_decision_json(decision) for decision in distinct(decisions)],
    }


def _reencryption_json(record: FindingRecord) -> dict[str, object]:
    state = record.reencryption
    return {
        "count": state.count,
        "from": dict(state.former),
        "with": state.keys,
        "last": state.last.isoformat() if state.last else None,
        "samples": state.samples,
        "failures": {cause: each.at.isoformat() for cause, each in state.failures.items()},
    }


def _cluster_json(known: ClusterSnapshot) -> dict[str, object]:
    cluster = known.cluster
    return {
        "name": cluster.name,
        "arn": cluster.arn,
        "state": cluster.state,
        "launched_by": known.launched_by,
        "release_label": cluster.release_label,
        "log_uri": cluster.log_uri,
        "log_key_identifier": cluster.log_key_identifier,
        "keys": known.keys,
    }


def _decision_json(decision: Decision) -> dict[str, object]:
    return {
        "at": decision.at.isoformat(),
        "by": decision.by,
        "cluster_state": decision.cluster_state,
        "mode": decision.mode,
        "policy_version": decision.policy_version,
        "decided": decision.decided,
        "because": [
            {
                "rule_id": finding.rule_id,
                "compliance": finding.compliance,
                "status": finding.status,
                "summary": finding.summary,
            }
            for finding in decision.findings
        ],
    }


def _lines(
    cluster_id: str,
    history: ClusterHistory,
    decisions: tuple[Decision, ...],
    policy: Policy,
    now: datetime,
) -> Iterator[str]:
    yield f"EMR cluster {cluster_id}"
    yield from _facts(history.known)
    version = f"version {policy.version}" if policy.version is not None else "strict defaults"
    yield f"Policy       {version}, mode {policy.mode}"
    yield ""
    yield "Findings"
    reencrypted = logs_reencrypted(history.records.values(), policy, now)
    for rule_id in sorted(history.records):
        record = history.records[rule_id]
        cluster = history.known.cluster if history.known else None
        yield from _record(record)
        impact = policy_impact(record, cluster, policy, now, reencrypted=reencrypted)
        yield f"    now: {impact}"
    if not history.records:
        yield "  No violation has been found."
    if history.known is not None:
        yield from _others(history, policy)
    yield ""
    yield "History"
    for decision in decisions:
        yield from _decision(decision)
    if not decisions:
        yield "  No decisions."


def _facts(known: ClusterSnapshot | None) -> Iterator[str]:
    if known is None:
        yield "Its settings are unknown: EMR did not know it when its logs were checked."
        return
    cluster = known.cluster
    yield f"Name         {plain(cluster.name)}"
    yield f"ARN          {cluster.arn}"
    if known.launched_by:
        yield f"Launched by  {plain(known.launched_by)}"
    yield f"Release      {plain(cluster.release_label or cluster.ami_version or 'unknown')}"
    yield f"Log URI      {plain(cluster.log_uri or 'none')}"
    yield f"Log key      {plain(cluster.log_key_identifier or 'none')}"
    for arn in known.keys:
        yield f"Uses key     {arn}"
    yield f"State        {cluster.state} (last recorded state)"


def _record(record: FindingRecord) -> Iterator[str]:
    finding = record.finding
    yield f"  {finding.rule_id} {finding.rule_name}: {finding.status}, {finding.compliance}"
    yield f"    {plain(finding.summary)}"
    yield f"    first seen {_at(finding.first_seen)}, last seen {_at(finding.last_seen)}"
    if record.last_notified:
        yield f"    last alerted {_at(record.last_notified.at)}"
    state = record.reencryption
    if state.last:
        former = plain(state.former_keys)
        yield f"    re-encrypted {state.count} ({former}), last {_at(state.last)}"
        yield from (f"      with {key}" for key in state.keys)
        for sample in state.samples:
            yield f"      {plain(sample)}"
    for cause, failure in state.failures.items():
        yield f"    not re-encrypted at {_at(failure.at)}: {plain(cause)}"


def _others(history: ClusterHistory, policy: Policy) -> Iterator[str]:
    """Name the rules that passed, and those that are disabled."""
    elsewhere = {*history.records, *(rule.id for rule in BUCKET_RULES)}
    others = [rule for rule in ALL_RULES if rule.id not in elsewhere]
    good = [rule.id for rule in others if policy.enabled(rule)]
    if good:
        yield f"  Passed or not applicable: {', '.join(good)}"
    off = [rule.id for rule in others if not policy.enabled(rule)]
    if off:
        yield f"  Disabled by policy: {', '.join(off)}"


def _decision(decision: Decision) -> Iterator[str]:
    version = decision.policy_version
    policy = f"policy version {version}" if version is not None else "strict defaults"
    state = decision.cluster_state or "unknown to EMR"
    yield f"  {_at(decision.at)}  {decision.by}, {policy}, mode {decision.mode}, cluster {state}"
    standing: defaultdict[str, list[str]] = defaultdict(list)
    for finding in decision.findings:
        if finding.compliance is not Compliance.NOT_APPLICABLE:
            standing[f"{finding.compliance}, {finding.status}"].append(finding.rule_id)
    if standing:
        yield f"    {'; '.join(f'{", ".join(ids)}: {how}' for how, ids in standing.items())}"
    for what in decision.decided:
        yield f"    -> {plain(what)}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
