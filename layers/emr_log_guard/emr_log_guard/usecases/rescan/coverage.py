"""The coverage of a re-scan: rules, and log buckets."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from emr_log_guard.domain.audit import RuleNotEvaluated
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.rescan import FolderCheckpoint, Rescan, RescanCheckpoint
from emr_log_guard.domain.rescan_report import BucketCoverage
from emr_log_guard.rules import ALL_RULES, BUCKET_RULES, CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.rule import Rule
from emr_log_guard.usecases.rescan.clusters import EXTRA_CALL_RULES

_OF_CLUSTERS = frozenset(
    (*(rule.id for rule in CLUSTER_RULES), *(rule.id for rule in BUCKET_RULES))
)
_OF_LOG_OBJECTS = frozenset(rule.id for rule in LOG_OBJECT_RULES)


def not_evaluated(rescan: Rescan, policy: Policy) -> Iterator[RuleNotEvaluated]:
    """Return each rule that a run does not evaluate, or not everywhere, and why."""
    for rule in cast("tuple[Rule[Any], ...]", ALL_RULES):
        why = _why_not(rule, rescan, policy)
        if why:
            yield RuleNotEvaluated(rule.id, rule.name, why)


def _why_not(rule: Rule[Any], rescan: Rescan, policy: Policy) -> str | None:
    if not policy.enabled(rule):
        return "disabled by the policy"
    if rule.id in _OF_CLUSTERS and not rescan.scope.clusters:
        return "for clusters; this re-scan covered log objects only"
    if rule.id in _OF_LOG_OBJECTS and not rescan.scope.log_objects:
        return "for log objects; this re-scan covered clusters only"
    if rule.id in _OF_LOG_OBJECTS and rescan.cluster is not None:
        return f"for log objects of other clusters; this re-scan covered {rescan.cluster} only"
    if rule.id in EXTRA_CALL_RULES and not rescan.deep:
        return "for clusters that were compliant before, only by events and deep re-scans"
    return None


def covered(
    history: RescanCheckpoint, listed: Mapping[str, int], checked_buckets: Collection[str]
) -> tuple[BucketCoverage, ...]:
    """Return the coverage of each bucket, by name.

    Args:
        history: The state that the run leaves for the next.
        listed: The number of log objects listed, by bucket.
        checked_buckets: The only buckets that are checked; empty: all.

    """
    tracked: defaultdict[str, list[FolderCheckpoint]] = defaultdict(list)
    for folder in history.folders.values():
        tracked[folder.bucket].append(folder)
    return tuple(
        _coverage(bucket, tracked[bucket], listed.get(bucket, 0))
        for bucket in sorted({*checked_buckets, *filter(None, listed), *tracked})
    )


def _coverage(bucket: str, tracked: Collection[FolderCheckpoint], listed: int) -> BucketCoverage:
    starts = [folder.since for folder in tracked]
    return BucketCoverage(
        bucket=bucket,
        clusters=len(tracked),
        listed=listed,
        complete=min(starts, default=None),
        latest=max(starts, default=None),
    )
