"""What a re-scan covers, and what it does not: which rules, and which log buckets since when."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from emr_log_guard.domain.audit import RuleNotEvaluated
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.rescan import FolderCheckpoint, Rescan, RescanCheckpoint
from emr_log_guard.domain.rescan_report import BucketCoverage
from emr_log_guard.rules import ALL_RULES, CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.rule import Rule
from emr_log_guard.usecases.rescan.clusters import ASK_MORE

_OF_CLUSTERS = frozenset(rule.id for rule in CLUSTER_RULES)
_OF_LOG_OBJECTS = frozenset(rule.id for rule in LOG_OBJECT_RULES)


def not_evaluated(rescan: Rescan, policy: Policy) -> Iterator[RuleNotEvaluated]:
    """Name each rule that a run does not judge by, or not everywhere, and why."""
    for rule in cast("tuple[Rule[Any], ...]", ALL_RULES):
        why = _why_not(rule, rescan, policy)
        if why:
            yield RuleNotEvaluated(rule.id, rule.name, why)


def _why_not(rule: Rule[Any], rescan: Rescan, policy: Policy) -> str | None:
    if not policy.enabled(rule):
        return "off in the policy"
    if rule.id in _OF_CLUSTERS and not rescan.scope.clusters:
        return "about clusters; this re-scan was about log objects only"
    if rule.id in _OF_LOG_OBJECTS and not rescan.scope.log_objects:
        return "about log objects; this re-scan was about clusters only"
    if rule.id in ASK_MORE and not rescan.deep:
        return "of clusters that were good before, events and deep re-scans judge it"
    return None


def covered(
    history: RescanCheckpoint, listed: Mapping[str, int], checked_buckets: Collection[str]
) -> tuple[BucketCoverage, ...]:
    """Say of each bucket how far it was looked at, by name.

    Args:
        history: What the run leaves to the next.
        listed: How many log objects it listed, by bucket.
        checked_buckets: The only buckets that are looked at; empty when it is all.

    """
    followed: defaultdict[str, list[FolderCheckpoint]] = defaultdict(list)
    for folder in history.folders.values():
        followed[folder.bucket].append(folder)
    return tuple(
        _coverage(bucket, followed[bucket], listed.get(bucket, 0))
        for bucket in sorted({*checked_buckets, *filter(None, listed), *followed})
    )


def _coverage(bucket: str, followed: Collection[FolderCheckpoint], listed: int) -> BucketCoverage:
    moments = [folder.since for folder in followed]
    return BucketCoverage(
        bucket=bucket,
        clusters=len(followed),
        listed=listed,
        complete=min(moments, default=None),
        latest=max(moments, default=None),
    )
