"""EMRLOG-008: steps and sessions with their own log settings keep the rules for clusters."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from shlex import quote

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import ClusterFacts, Session, Step, Workload, WorkloadFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome, compliant, insufficient_data, not_applicable
from emr_log_guard.domain.keys import KmsKey, named_arn, same_key
from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.rules import emrlog_002_log_key_configured as configured
from emr_log_guard.rules import emrlog_004_log_key_customer_managed as customer_managed
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules import emrlog_006_log_key_approved as approved
from emr_log_guard.rules.preconditions import logging_with
from emr_log_guard.rules.remediation import on_cluster, right_key, terminate_sessions
from emr_log_guard.rules.rule import Rule
from emr_log_guard.rules.several import Result, most_severe

_CHECKS = (configured.check, customer_managed.check, usable.can_encrypt, approved.check)
_PAST_CHECKS = (
    configured.check,
    customer_managed.check,
    usable.could_ever_encrypt,
    approved.check,
)
"""A finished step writes no more logs, so the current state of its key is ignored."""


def check(facts: ClusterFacts) -> Outcome:
    """Evaluate the log settings of steps and sessions as a cluster's, by 002, 004, 005 and 006.

    A violation by a finished step is reported, but terminating its cluster would prevent nothing.
    https://docs.aws.amazon.com/emr/latest/APIReference/API_StepMonitoringConfiguration.html
    https://docs.aws.amazon.com/emr/latest/APIReference/API_StepStatus.html
    https://docs.aws.amazon.com/emr/latest/APIReference/API_SessionMonitoringConfiguration.html
    """
    own = _with_own_settings(facts)
    results = [(each, outcome) for each in own for outcome in _evaluate(facts, each)]
    outcome = most_severe(results, _sentence, facts.unlisted)
    if outcome is not None:
        return outcome
    if not own:
        return not_applicable("no step or session has a log key of its own")
    return compliant(f"workloads with their own log settings are compliant: {_count(own)}")


def _with_own_settings(facts: ClusterFacts) -> list[WorkloadFacts]:
    """Leave out workloads that never ran, and those with the cluster's key."""
    cluster = facts.cluster
    return [
        each
        for each in facts.workloads
        if not (isinstance(each.workload, Step) and each.workload.never_ran)
        and (
            (each.workload.log_uri and not cluster.archive_uri)
            or (
                (each.workload.log_uri or cluster.archive_uri)
                and not _has_the_clusters_key(facts, each)
            )
        )
    ]


def _has_the_clusters_key(facts: ClusterFacts, each: WorkloadFacts) -> bool:
    """Whether a workload logs with the cluster's key, under any identifier."""
    by_workload, by_cluster = each.workload.log_key_identifier, facts.cluster.log_key_identifier
    if by_workload is None or by_workload == by_cluster:
        return True
    if by_cluster is None:
        return False
    if isinstance(each.log_key, KmsKey) and isinstance(facts.log_key, KmsKey):
        return same_key(each.log_key.arn, facts.log_key.arn)
    here = Arn.of(facts.cluster.arn)
    return named_arn(by_workload, here) == named_arn(by_cluster, here)


def _evaluate(facts: ClusterFacts, each: WorkloadFacts) -> list[Outcome]:
    workload, cluster = each.workload, facts.cluster
    as_cluster = logging_with(
        facts,
        workload.log_uri or cluster.archive_uri or "",
        workload.log_key_identifier or cluster.log_key_identifier,
        each.log_key,
    )
    over = isinstance(workload, Step) and workload.finished
    outcomes = [check(as_cluster) for check in (_PAST_CHECKS if over else _CHECKS)]
    if reason := _why_writing_is_uncertain(facts, workload):
        return [_undetermined(outcome, reason) for outcome in outcomes]
    return [replace(outcome, over=over and outcome.broken) for outcome in outcomes]


def _why_writing_is_uncertain(facts: ClusterFacts, workload: Workload) -> str:
    """Return why it is unknown whether a workload writes logs; empty when it does."""
    if facts.cluster.uploads_disabled:
        return "whether it uploads logs although the cluster uploads none is not documented"
    if isinstance(workload, Step) and workload.state is None:
        return "EMR reports no known state of it"
    return ""


def _undetermined(outcome: Outcome, reason: str) -> Outcome:
    return insufficient_data(f"{outcome.summary}; {reason}") if outcome.broken else outcome


def _sentence(results: Sequence[Result[WorkloadFacts]]) -> str:
    first, outcome = results[0][0].workload, results[0][1]
    others = {each.workload.id: each for each, _ in results if each.workload.id != first.id}
    also = f" (and {_count(others.values(), 'more ')})" if others else ""
    return f"{_state(first)}{first.title}: {outcome.summary}{also}"


def _state(workload: Workload) -> str:
    """Return the state of a step as the start of a sentence; empty for others."""
    if not isinstance(workload, Step) or workload.state is None:
        return ""
    return f"{workload.state.replace('_', '-').lower()} "


def _count(found: Iterable[WorkloadFacts], more: str = "") -> str:
    kinds = Counter(each.workload.kind for each in found)
    return " and ".join(f"{n} {more}{kind}{'s' if n > 1 else ''}" for kind, n in kinds.items())


def remediation(facts: ClusterFacts) -> str:
    """Cancel or terminate what is pending or running, and restart it without log settings."""
    broken = [
        each.workload
        for each in _with_own_settings(facts)
        if any(o.broken for o in _evaluate(facts, each))
    ]
    steps = [each for each in broken if isinstance(each, Step)]
    sessions = [each for each in broken if isinstance(each, Session)]
    return "\n".join(
        (
            *_cancel(facts, [each for each in steps if each.cancellable]),
            *_await([each for each in steps if not each.cancellable and not each.finished]),
            *_reencrypt(facts, [each for each in steps if each.finished]),
            *terminate_sessions(
                facts,
                sessions,
                "without an S3LoggingConfiguration, or with "
                f"EncryptionKeyArn={right_key(facts)} in it",
            ),
        )
    )


def _cancel(facts: ClusterFacts, steps: Sequence[Step]) -> Iterator[str]:
    if not steps:
        return
    yield (
        "# Cancel the steps, then add them again without a StepMonitoringConfiguration, or with "
        f"EncryptionKeyArn={right_key(facts)}:"
    )
    yield f"aws emr cancel-steps {on_cluster(facts)} --step-ids {_ids(steps)}"


def _await(steps: Sequence[Step]) -> Iterator[str]:
    if steps:
        yield f"# They are being cancelled already: {_ids(steps)}."


def _reencrypt(facts: ClusterFacts, steps: Sequence[Step]) -> Iterator[str]:
    """List the logs of finished steps: there is nothing left to stop."""
    if not steps:
        return
    yield (
        f"# These steps have finished: {_ids(steps)}. Re-encrypt their logs as the runbook of "
        "EMRLOG-101 describes. To list them:"
    )
    for step in steps:
        location = LogLocation.parse(step.log_uri or facts.cluster.archive_uri or "")
        if location is not None:
            folder = f"{location.prefix}{facts.cluster.id}/steps/{step.id}/"
            yield f"aws s3 ls --recursive {quote(f's3://{location.bucket}/{folder}')}"


def _ids(steps: Iterable[Step]) -> str:
    return " ".join(quote(each.id) for each in steps)


RULE = Rule(
    id="EMRLOG-008",
    name="steps-keep-the-cluster-key",
    severity=Severity.HIGH,
    violation="a step or an active Spark Connect session has its own log settings, and its "
    "logs' key violates 002, 004, 005 or 006; for a finished step the key's state is ignored",
    precondition="a step that ran or may run, or a session, has its own log settings",
    why="The log settings of a step or session override the cluster's key.",
    check=check,
    remediation=remediation,
)
