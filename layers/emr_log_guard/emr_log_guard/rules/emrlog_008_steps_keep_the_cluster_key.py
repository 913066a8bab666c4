"""EMRLOG-008: steps with log settings of their own log as well as their cluster has to."""

from dataclasses import replace
from shlex import quote

from emr_log_guard.domain.clusters import ClusterFacts, StepFacts
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    not_applicable,
)
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import emrlog_002_log_key_configured as configured
from emr_log_guard.rules import emrlog_004_log_key_customer_managed as customer_managed
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules import emrlog_006_log_key_approved as approved
from emr_log_guard.rules.remediation import right_key
from emr_log_guard.rules.rule import Rule

_CHECKS = (configured.check, customer_managed.check, usable.check, approved.check)


def check(facts: ClusterFacts) -> Outcome:
    """Judge each step's log settings as a cluster's, by EMRLOG-002, 004, 005 and 006.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_StepMonitoringConfiguration.html
    """
    if isinstance(facts.steps, Unresolved):
        return insufficient_data(facts.steps.reason)
    own = _with_settings_of_their_own(facts)
    if not own:
        return not_applicable("no step has a log key of its own")
    results = [(each, outcome) for each in own for outcome in _judge(facts, each)]
    for worst, tell in (
        (Compliance.NON_COMPLIANT, non_compliant),
        (Compliance.INSUFFICIENT_DATA, insufficient_data),
    ):
        told = [(each, o) for each, o in results if o.compliance is worst]
        if told:
            return tell(_sentence(told))
    return compliant(f"steps with log settings of their own keep to the rules: {len(own)}")


def _with_settings_of_their_own(facts: ClusterFacts) -> list[StepFacts]:
    """Leave out the steps that log with the cluster's key: the cluster's own rules judge that."""
    if isinstance(facts.steps, Unresolved):
        return []
    cluster = facts.cluster
    return [
        each
        for each in facts.steps
        if (each.step.log_uri and not cluster.log_uri)
        or (
            (each.step.log_uri or cluster.log_uri)
            and each.step.log_key_identifier not in (None, cluster.log_key_identifier)
        )
    ]


def _judge(facts: ClusterFacts, each: StepFacts) -> list[Outcome]:
    cluster = replace(
        facts.cluster,
        log_uri=each.step.log_uri or facts.cluster.log_uri,
        log_key_identifier=each.step.log_key_identifier or facts.cluster.log_key_identifier,
    )
    as_cluster = replace(facts, cluster=cluster, log_key=each.log_key)
    return [ask(as_cluster) for ask in _CHECKS]


def _sentence(told: list[tuple[StepFacts, Outcome]]) -> str:
    first, outcome = told[0]
    more = len({each.step.id for each, _ in told}) - 1
    steps = "step" if more == 1 else "steps"
    also = f" (and {more} more {steps})" if more else ""
    return f"step {first.step.id} ({first.step.name}): {outcome.summary}{also}"


def remediation(facts: ClusterFacts) -> str:
    """Cancel what still waits or runs, to be added again without log settings of its own."""
    broken = [
        each.step.id
        for each in _with_settings_of_their_own(facts)
        if any(o.compliance is Compliance.NON_COMPLIANT for o in _judge(facts, each))
    ]
    cluster = facts.cluster
    ids = " ".join(quote(step_id) for step_id in broken)
    return (
        "# Cancel the steps, then add them again without a StepMonitoringConfiguration, or with "
        f"EncryptionKeyArn={right_key(facts)}:\n"
        f"aws emr cancel-steps --region {quote(cluster.region)} --cluster-id {quote(cluster.id)} "
        f"--step-ids {ids}"
    )


RULE = Rule(
    id="EMRLOG-008",
    name="steps-keep-the-cluster-key",
    severity=Severity.HIGH,
    why="A step can send its logs past the cluster's key, however well that key was chosen.",
    check=check,
    remediation=remediation,
)
