"""EMRLOG-008: steps and sessions with log settings of their own log as a cluster has to."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from shlex import quote

from emr_log_guard.domain.clusters import ClusterFacts, Session, Step, Workload, WorkloadFacts
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    non_compliant,
    not_applicable,
    transient_violation,
    undetermined,
)
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import emrlog_002_log_key_configured as configured
from emr_log_guard.rules import emrlog_004_log_key_customer_managed as customer_managed
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules import emrlog_006_log_key_approved as approved
from emr_log_guard.rules.remediation import right_key
from emr_log_guard.rules.rule import Rule

_CHECKS = (configured.check, customer_managed.check, usable.can_encrypt, approved.check)


def check(facts: ClusterFacts) -> Outcome:
    """Judge log settings of a step's or session's own as a cluster's, by 002, 004, 005 and 006.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_StepMonitoringConfiguration.html
    https://docs.aws.amazon.com/emr/latest/APIReference/API_SessionMonitoringConfiguration.html
    """
    own = _with_settings_of_their_own(facts)
    results = [(each, outcome) for each in own for outcome in _judge(facts, each)]
    broken = [(each, o) for each, o in results if o.compliance is Compliance.NON_COMPLIANT]
    if broken:
        return non_compliant(_sentence(broken))
    for_now = [(each, o) for each, o in results if o.broken]
    if for_now:
        return transient_violation(_sentence(for_now))
    if facts.unlisted:
        return undetermined(facts.unlisted)
    unread = [(each, o) for each, o in results if o.compliance is Compliance.INSUFFICIENT_DATA]
    if unread:
        transient = all(o.once_lasting is not None for _, o in unread)
        return undetermined(Unresolved(_sentence(unread), transient))
    if not own:
        return not_applicable("no step or session has a log key of its own")
    return compliant(f"what has log settings of its own keeps to the rules: {_count(own)}")


def _with_settings_of_their_own(facts: ClusterFacts) -> list[WorkloadFacts]:
    """Leave out what logs with the cluster's key: the cluster's own rules judge that."""
    cluster = facts.cluster
    return [
        each
        for each in facts.workloads
        if (each.workload.log_uri and not cluster.log_uri)
        or (
            (each.workload.log_uri or cluster.log_uri)
            and each.workload.log_key_identifier not in (None, cluster.log_key_identifier)
        )
    ]


def _judge(facts: ClusterFacts, each: WorkloadFacts) -> list[Outcome]:
    cluster = replace(
        facts.cluster,
        log_uri=each.workload.log_uri or facts.cluster.log_uri,
        log_key_identifier=each.workload.log_key_identifier or facts.cluster.log_key_identifier,
    )
    as_cluster = replace(facts, cluster=cluster, log_key=each.log_key)
    return [ask(as_cluster) for ask in _CHECKS]


def _sentence(told: list[tuple[WorkloadFacts, Outcome]]) -> str:
    first, outcome = told[0][0].workload, told[0][1]
    others = {each.workload.id: each for each, _ in told if each.workload.id != first.id}
    also = f" (and {_count(others.values(), 'more ')})" if others else ""
    return f"{first.kind} {first.id} ({first.name}): {outcome.summary}{also}"


def _count(found: Iterable[WorkloadFacts], more: str = "") -> str:
    kinds = Counter(each.workload.kind for each in found)
    return " and ".join(f"{n} {more}{kind}{'s' if n > 1 else ''}" for kind, n in kinds.items())


def remediation(facts: ClusterFacts) -> str:
    """End what still waits or runs, to be begun again without log settings of its own."""
    broken = [
        each.workload
        for each in _with_settings_of_their_own(facts)
        if any(o.broken for o in _judge(facts, each))
    ]
    return "\n".join((*_cancel(facts, broken), *_terminate(facts, broken)))


def _cancel(facts: ClusterFacts, broken: list[Workload]) -> Iterator[str]:
    ids = " ".join(quote(each.id) for each in broken if isinstance(each, Step))
    if not ids:
        return
    yield (
        "# Cancel the steps, then add them again without a StepMonitoringConfiguration, or with "
        f"EncryptionKeyArn={right_key(facts)}:"
    )
    yield f"aws emr cancel-steps {_on(facts)} --step-ids {ids}"


def _terminate(facts: ClusterFacts, broken: list[Workload]) -> Iterator[str]:
    ids = [quote(each.id) for each in broken if isinstance(each, Session)]
    if not ids:
        return
    yield (
        "# Terminate the sessions, then start them again without an S3LoggingConfiguration, or "
        f"with EncryptionKeyArn={right_key(facts)}:"
    )
    for session_id in ids:
        yield f"aws emr terminate-session {_on(facts)} --session-id {session_id}"


def _on(facts: ClusterFacts) -> str:
    return f"--region {quote(facts.cluster.region)} --cluster-id {quote(facts.cluster.id)}"


RULE = Rule(
    id="EMRLOG-008",
    name="steps-keep-the-cluster-key",
    severity=Severity.HIGH,
    violation="a step or an active Spark Connect session has log settings of its own, and its "
    "logs' key fails 002, 004, 005 or 006",
    premise="a step or session has log settings of its own",
    why="A step or session can send its logs past the cluster's key, however well chosen that is.",
    check=check,
    remediation=remediation,
)
