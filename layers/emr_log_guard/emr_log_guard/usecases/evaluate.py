"""Evaluate: the one place where facts become findings, whoever asks for them.

Events, re-scans, audits, enforcement and replays differ in which rules they evaluate and in what
they do with the findings. Nothing is recorded, decided or done here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.finding_record import ClusterSnapshot, RuleResult
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.rules import CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.evaluation import EvaluationContext, Subject, Tally, cluster_findings
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts

type Note = Callable[[LogObjectFacts, Mapping[str, Compliance]], None]
"""Is told of each log object, and of what each rule says of it, by rule id."""


@dataclass(frozen=True, slots=True)
class ClusterEvaluation:
    """What the rules say of a cluster, and the facts that they say it of."""

    facts: ClusterFacts
    findings: tuple[Finding, ...]
    """One a rule, whatever its compliance, in the rules' order; exemptions are not considered."""


def evaluate_cluster(
    known: ClusterSnapshot, read_facts: ReadClusterFacts, context: EvaluationContext
) -> ClusterEvaluation:
    """Read what the selected rules ask of a cluster, and evaluate it by these rules.

    What a rule asks for is read for just the rules that are evaluated: no rule finds a fact missing
    because nobody read it.

    Args:
        known: The cluster, and what is remembered of it.
        read_facts: Reads what the rules ask for.
        context: The policy and the selection of its rules, the time, and where runbooks are.

    """
    rules = context.rules(CLUSTER_RULES)
    facts = read_facts.under(context.policy, rules)(known.cluster)
    facts = replace(facts, log_key_worked=known.log_key_worked)
    subject = Subject.of(known.cluster, known.launched_by)
    return ClusterEvaluation(facts, cluster_findings(subject, facts, rules, context))


def evaluate_log_objects(
    subject: Subject,
    objects: Iterable[LogObjectFacts],
    context: EvaluationContext,
    *,
    named: int = 0,
    note: Note | None = None,
) -> tuple[RuleResult, ...]:
    """Evaluate the log objects of one cluster by the selected rules, each object once.

    Args:
        subject: The cluster.
        objects: The objects' facts; there may be millions, they are never held all at once.
        context: The policy and the selection of its rules, the time, and where runbooks are.
        named: How many objects each result names.
        note: Is told of each object as it is evaluated.

    Returns:
        A result a rule, in the rules' order; none without objects.

    """
    tally = Tally(context.rules(LOG_OBJECT_RULES), named)
    for facts in objects:
        outcomes = tally.add(facts)
        if note is not None:
            note(facts, outcomes)
    return tally.results(subject, context)
