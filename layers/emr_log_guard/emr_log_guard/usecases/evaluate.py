"""Evaluate: the one place where facts become findings.

Events, re-scans, audits, enforcement and replays differ in the rules that they evaluate and in what
they do with the findings. Nothing is recorded, decided or done here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from emr_log_guard.domain.clusters import ClusterFacts, LogBucket
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.finding_record import ClusterSnapshot, RuleResult
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.rules import BUCKET_RULES, CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.evaluation import (
    EvaluationContext,
    Subject,
    Tally,
    bucket_results,
    cluster_findings,
)
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts

type Note = Callable[[LogObjectFacts, Mapping[str, Compliance]], None]
"""Receives each log object, and the results of the rules by rule id."""


@dataclass(frozen=True, slots=True)
class ClusterEvaluation:
    """The findings of a cluster, and their facts."""

    facts: ClusterFacts
    findings: tuple[Finding, ...]
    """One per rule, with any compliance, in the rules' order; exemptions are not applied."""


def evaluate_cluster(
    known: ClusterSnapshot, read_facts: ReadClusterFacts, context: EvaluationContext
) -> ClusterEvaluation:
    """Read the facts that the selected rules need, and evaluate those about clusters.

    Facts are read for exactly the rules that are evaluated, so no rule misses a fact.

    Args:
        known: The cluster, and what is stored about it.
        read_facts: Reads the facts.
        context: The policy and the selection of its rules, the time, and where runbooks are.

    """
    rules = context.rules(CLUSTER_RULES)
    needed = (rule.id for each in (rules, context.rules(BUCKET_RULES)) for rule in each)
    facts = read_facts.under(context.policy, needed)(known.cluster)
    facts = replace(facts, log_key_worked=known.log_key_worked)
    subject = Subject.of(known.cluster, known.launched_by)
    return ClusterEvaluation(facts, cluster_findings(subject, facts, rules, context))


def evaluate_bucket(
    subject: Subject, bucket: LogBucket, clusters: tuple[str, ...], context: EvaluationContext
) -> tuple[RuleResult, ...]:
    """Evaluate the selected rules for a log bucket.

    Args:
        subject: The bucket.
        bucket: Its facts.
        clusters: Clusters that log there, for the evidence.
        context: The policy and the selection of its rules, the time, and where runbooks are.

    """
    return bucket_results(subject, bucket, clusters, context.rules(BUCKET_RULES), context)


def evaluate_log_objects(
    subject: Subject,
    objects: Iterable[LogObjectFacts],
    context: EvaluationContext,
    *,
    named: int = 0,
    note: Note | None = None,
) -> tuple[RuleResult, ...]:
    """Evaluate the selected rules for the log objects of one cluster, in one pass.

    Args:
        subject: The cluster.
        objects: The objects' facts; there may be millions, which are not all in memory at once.
        context: The policy and the selection of its rules, the time, and where runbooks are.
        named: How many objects each result names.
        note: Receives each object as it is evaluated.

    Returns:
        One result per rule, in the rules' order; empty without objects.

    """
    tally = Tally(context.rules(LOG_OBJECT_RULES), named)
    for facts in objects:
        outcomes = tally.add(facts)
        if note is not None:
            note(facts, outcomes)
    return tally.results(subject, context)
