"""The rules as the policy has them: those that are switched on, as grave as it says."""

from collections.abc import Iterable
from dataclasses import replace

from emr_log_guard.domain.policy import Policy
from emr_log_guard.rules.rule import Rule


def in_force[Facts](rules: Iterable[Rule[Facts]], policy: Policy) -> tuple[Rule[Facts], ...]:
    """Leave out what the policy disables, and take its severities."""
    return tuple(
        replace(rule, severity=policy.severity_of(rule)) for rule in rules if policy.enabled(rule)
    )
