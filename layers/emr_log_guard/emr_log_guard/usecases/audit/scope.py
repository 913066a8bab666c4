"""The scope of an audit: clusters and rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from emr_log_guard.domain.audit import RuleNotEvaluated
from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rules import ALL_RULES, CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.evaluation import enabled_rules
from emr_log_guard.rules.rule import Rule

ACTIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
"""The states of a cluster that still writes logs."""
THREADS = 32
"""How many calls are concurrent in a Region: at 50 ms a call, some 600 calls a second."""

OBJECT_THREADS = 64
"""Concurrent reads of log objects in a Region: S3 allows 5,500 HEADs a second per prefix."""


@dataclass(frozen=True, slots=True)
class AuditScope:
    """The clusters, log objects and rules of an audit."""

    policy: Policy
    regions: tuple[str, ...] | None
    """None: all enabled Regions of an account."""
    role_arns: tuple[str | None, ...] = (None,)
    """Roles to assume, one per account; None: the caller."""
    states: tuple[str, ...] = ACTIVE
    cluster_ids: tuple[str, ...] = ()
    """Only these, in any state; empty: all."""
    only: frozenset[str] = frozenset()
    """Only these rules; empty: all that the policy enables."""
    skipped: frozenset[str] = frozenset()
    objects: bool = False
    """Whether log objects are checked, too."""
    since: datetime | None = None
    """Only log objects written at or after this time."""
    sample: int | None = None
    """Only this many log objects per cluster, chosen at random."""
    threads: int = THREADS
    object_threads: int = OBJECT_THREADS

    @property
    def cluster_rules(self) -> tuple[Rule[ClusterFacts], ...]:
        """The rules for clusters."""
        return self._selected(CLUSTER_RULES)

    @property
    def object_rules(self) -> tuple[Rule[LogObjectFacts], ...]:
        """The rules for log objects; empty unless these are checked."""
        return self._selected(LOG_OBJECT_RULES) if self.objects else ()

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """The ids of all rules that are evaluated."""
        on_objects = tuple(rule.id for rule in self.object_rules)
        return (*(rule.id for rule in self.cluster_rules), *on_objects)

    @property
    def not_evaluated(self) -> tuple[RuleNotEvaluated, ...]:
        """Each rule that is not evaluated, and why."""
        evaluated = self.rule_ids
        return tuple(
            RuleNotEvaluated(rule.id, rule.name, self._why_not(rule))
            for rule in cast("tuple[Rule[Any], ...]", ALL_RULES)
            if rule.id not in evaluated
        )

    def selects(self, rule: Rule[Any]) -> bool:
        """Whether a rule that the policy enables is evaluated."""
        return not rule.deployed_only and not self._left_out(rule.id)

    def _selected[Facts](self, rules: Iterable[Rule[Facts]]) -> tuple[Rule[Facts], ...]:
        return tuple(filter(self.selects, enabled_rules(rules, self.policy)))

    def _left_out(self, rule_id: str) -> bool:
        return rule_id in self.skipped or (bool(self.only) and rule_id not in self.only)

    def _why_not(self, rule: Rule[Any]) -> str:
        if not self.policy.enabled(rule):
            return "disabled by the policy"
        if rule.deployed_only:
            return "needs the deployed stack"
        if self._left_out(rule.id):
            return "excluded by --rule or --skip-rule"
        return "needs --objects"
