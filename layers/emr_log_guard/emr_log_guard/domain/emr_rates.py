"""How much of EMR's API quotas each part of the guard may use.

The reasons: docs/adr/0022-a-share-of-emrs-quotas.md

https://docs.aws.amazon.com/general/latest/gr/emr.html
"""

from collections.abc import Mapping
from dataclasses import dataclass

CHECK_ENVIRONMENTS = 2
"""How many environments check clusters at once: MaximumConcurrency of the queue's mapping."""
SCAN_ENVIRONMENTS = 2
"""How many shards of clusters a re-scan scans at once: MaxConcurrency of the map of clusters."""
CHECKS = 0.5
"""What the re-checks and later reads of check_cluster may use of the share."""
RESCANS = 0.5
"""What the re-scans of clusters may use of the share."""
_REVIEW_SECONDS = 1800
"""For how long the re-checks of one review, which comes every hour, may list steps."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: calls a second, and how many at once after a pause."""

    per_second: float
    burst: float = 1

    def part(self, fraction: float) -> "Rate":
        """Return a fraction of it; at least one call is always possible after a pause."""
        return Rate(self.per_second * fraction, max(1.0, self.burst * fraction))


DEFAULT_QUOTAS: Mapping[str, Rate] = {
    "DescribeCluster": Rate(1, 10),
    "ListSteps": Rate(0.5, 10),
    "ListSessions": Rate(5, 25),
}
"""The default quotas of an account, by action. ListSessions has only that of all actions."""


def first_read_rates(share: float) -> Mapping[str, Rate]:
    """Return what each environment may use for the first reads of a launch: together the quota.

    Args:
        share: The part of the default quotas that is for everything else. Above 1 the account's
            quotas were raised, so first reads may use as much.

    """
    return _parts(max(1.0, share) / CHECK_ENVIRONMENTS)


def check_rates(share: float) -> Mapping[str, Rate]:
    """Return what each environment may use for re-checks and later reads, of such a share."""
    return _parts(share * CHECKS / CHECK_ENVIRONMENTS)


def rechecks_per_review(share: float) -> int:
    """Return how many clusters one review may have re-checked, of such a share.

    Half as many as may have their steps listed in an hour: the rest is left to events.
    """
    together = check_rates(share)["ListSteps"].per_second * CHECK_ENVIRONMENTS
    return int(together * _REVIEW_SECONDS)


def rescan_rates(share: float) -> Mapping[str, Rate]:
    """Return what each shard of clusters of a re-scan may use, of such a share."""
    return _parts(share * RESCANS / SCAN_ENVIRONMENTS)


def _parts(fraction: float) -> Mapping[str, Rate]:
    return {action: quota.part(fraction) for action, quota in DEFAULT_QUOTAS.items()}
