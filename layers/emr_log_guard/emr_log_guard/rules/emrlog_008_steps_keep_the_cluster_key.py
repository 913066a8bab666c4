"""EMRLOG-008: steps and sessions with log settings of their own log as a cluster has to."""

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
"""A step that is over writes nothing any more, so what state its key is in now says nothing."""


def check(facts: ClusterFacts) -> Outcome:
    """Judge log settings of a step's or session's own as a cluster's, by 002, 004, 005 and 006.

    A violation by a step that is over is shown, but terminating its cluster would prevent nothing.
    https://docs.aws.amazon.com/emr/latest/APIReference/API_StepMonitoringConfiguration.html
    https://docs.aws.amazon.com/emr/latest/APIReference/API_StepStatus.html
    https://docs.aws.amazon.com/emr/latest/APIReference/API_SessionMonitoringConfiguration.html
    """
    own = _with_settings_of_their_own(facts)
    results = [(each, outcome) for each in own for outcome in _judge(facts, each)]
    outcome = most_severe(results, _sentence, facts.unlisted)
    if outcome is not None:
        return outcome
    if not own:
        return not_applicable("no step or session has a log key of its own")
    return compliant(f"what has log settings of its own keeps to the rules: {_count(own)}")


def _with_settings_of_their_own(facts: ClusterFacts) -> list[WorkloadFacts]:
    """Leave out what logs with the cluster's key, as its own rules judge that, or never ran."""
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
    """Say whether a workload logs with the cluster's key, however each of them names it."""
    typed, by_cluster = each.workload.log_key_identifier, facts.cluster.log_key_identifier
    if typed is None or typed == by_cluster:
        return True
    if by_cluster is None:
        return False
    if isinstance(each.log_key, KmsKey) and isinstance(facts.log_key, KmsKey):
        return same_key(each.log_key.arn, facts.log_key.arn)
    here = Arn.of(facts.cluster.arn)
    return named_arn(typed, here) == named_arn(by_cluster, here)


def _judge(facts: ClusterFacts, each: WorkloadFacts) -> list[Outcome]:
    workload, cluster = each.workload, facts.cluster
    as_cluster = logging_with(
        facts,
        workload.log_uri or cluster.archive_uri or "",
        workload.log_key_identifier or cluster.log_key_identifier,
        each.log_key,
    )
    over = isinstance(workload, Step) and workload.finished
    outcomes = [ask(as_cluster) for ask in (_PAST_CHECKS if over else _CHECKS)]
    if reason := _why_nothing_may_be_written(facts, workload):
        return [_in_question(outcome, reason) for outcome in outcomes]
    return [replace(outcome, over=over and outcome.broken) for outcome in outcomes]


def _why_nothing_may_be_written(facts: ClusterFacts, workload: Workload) -> str:
    """Say why it is not known that a workload writes logs; empty when it does."""
    if facts.cluster.uploads_disabled:
        return "whether it uploads logs, as the cluster uploads none, is not documented"
    if isinstance(workload, Step) and workload.state is None:
        return "EMR names no state of it that is known"
    return ""


def _in_question(outcome: Outcome, reason: str) -> Outcome:
    return insufficient_data(f"{outcome.summary}; {reason}") if outcome.broken else outcome


def _sentence(notified: Sequence[Result[WorkloadFacts]]) -> str:
    first, outcome = notified[0][0].workload, notified[0][1]
    others = {each.workload.id: each for each, _ in notified if each.workload.id != first.id}
    also = f" (and {_count(others.values(), 'more ')})" if others else ""
    return f"{_state(first)}{first.title}: {outcome.summary}{also}"


def _state(workload: Workload) -> str:
    """Begin a sentence about a workload with the state that it is in."""
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
        for each in _with_settings_of_their_own(facts)
        if any(o.broken for o in _judge(facts, each))
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
        yield f"# Their cancellation is under way already: {_ids(steps)}."


def _reencrypt(facts: ClusterFacts, steps: Sequence[Step]) -> Iterator[str]:
    """List what finished steps wrote: there is nothing left to stop."""
    if not steps:
        return
    yield (
        f"# These steps are over, and write nothing any more: {_ids(steps)}. Re-encrypt what they "
        "wrote, as the runbook of EMRLOG-101 says. This lists it:"
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
