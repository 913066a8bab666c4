"""Evaluating without acting: what the guard would find now. Nothing is told, kept or done."""

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.decide import exempted
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rules import CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.evaluation import (
    EvaluationContext,
    Subject,
    enabled_rules,
    evaluate_cluster,
    evaluate_log_objects,
)
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts


def evaluate_cluster_now(
    cluster: Cluster, read_facts: ReadClusterFacts, policy: Policy, context: EvaluationContext
) -> tuple[Finding, ...]:
    """Judge a cluster by the rules in force, as far as they are not about a deployed guard.

    Findings that the policy exempts are marked so.
    """
    rules = [rule for rule in enabled_rules(CLUSTER_RULES, policy) if not rule.deployed_only]
    facts = read_facts.under(policy, rules)(cluster)
    return exempted(evaluate_cluster(facts, rules, context), cluster, policy, context.now)


def evaluate_log_object_now(
    facts: LogObjectFacts, account: str, region: str, policy: Policy, context: EvaluationContext
) -> tuple[Finding, ...]:
    """Judge a log object by the rules in force; findings that the policy exempts are marked so.

    Account and Region are those that the object was created in: its cluster's, if EMR does not
    know the cluster.
    """
    cluster = facts.cluster if isinstance(facts.cluster, Cluster) else None
    subject = Subject.of(cluster) if cluster else Subject.unknown(facts.cluster_id, account, region)
    rules = enabled_rules(LOG_OBJECT_RULES, policy)
    return exempted(
        evaluate_log_objects(subject, [facts], rules, context), cluster, policy, context.now
    )
