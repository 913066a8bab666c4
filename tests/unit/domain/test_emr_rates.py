import pytest

from emr_log_guard.domain.emr_rates import (
    CHECK_ENVIRONMENTS,
    CHECKS,
    DEFAULT_QUOTAS,
    RESCANS,
    SCAN_ENVIRONMENTS,
    Rate,
    check_rates,
    first_read_rates,
    rechecks_per_review,
    rescan_rates,
)

ACTIONS = sorted(DEFAULT_QUOTAS)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("share", "quotas"), [(0.1, 1), (0.5, 1), (1, 1), (4, 4)])
def test_first_reads_of_all_environments_use_the_whole_quota(
    action: str, share: float, quotas: float
) -> None:
    each, quota = first_read_rates(share)[action], DEFAULT_QUOTAS[action]

    assert each.per_second * CHECK_ENVIRONMENTS == quota.per_second * quotas
    assert each.burst * CHECK_ENVIRONMENTS == quota.burst * quotas


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("share", [0.1, 0.5, 1, 4])
def test_checks_and_rescans_together_use_the_share(action: str, share: float) -> None:
    checks = check_rates(share)[action].per_second * CHECK_ENVIRONMENTS
    rescans = rescan_rates(share)[action].per_second * SCAN_ENVIRONMENTS

    assert checks + rescans == pytest.approx(share * DEFAULT_QUOTAS[action].per_second)


def test_checks_and_rescans_divide_the_whole_share() -> None:
    assert CHECKS + RESCANS == 1


def test_default_share_allows_one_list_steps_per_environment_in_sixteen_seconds() -> None:
    assert rescan_rates(0.5)["ListSteps"] == Rate(0.0625, 1.25)


def test_small_share_has_a_burst_of_one_call() -> None:
    assert check_rates(0.1)["DescribeCluster"] == Rate(0.025, 1)


@pytest.mark.parametrize(("share", "clusters"), [(0.1, 45), (0.5, 225), (1, 450), (10, 4500)])
def test_review_has_as_many_clusters_rechecked_as_half_an_hour_allows(
    share: float, clusters: int
) -> None:
    assert rechecks_per_review(share) == clusters
