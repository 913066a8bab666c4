"""EMRLOG-010: logs in CloudWatch are encrypted with a key that would be allowed for S3 logs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from emr_log_guard.domain.clusters import ClusterFacts, Session
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Outcome, compliant, non_compliant, not_applicable
from emr_log_guard.domain.keys import KeyFact, KeyNotFound, KmsKey
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import emrlog_004_log_key_customer_managed as customer_managed
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules import emrlog_006_log_key_approved as approved
from emr_log_guard.rules.preconditions import logging_with
from emr_log_guard.rules.remediation import (
    make_usable,
    relaunch,
    right_key,
    terminate_sessions,
)
from emr_log_guard.rules.rule import Rule
from emr_log_guard.rules.several import Result, most_severe


@dataclass(frozen=True, slots=True)
class _Sender:
    """A source of logs in CloudWatch: the cluster, or a session."""

    title: str
    identifier: str | None
    key: KeyFact | None
    session: Session | None = None


def check(facts: ClusterFacts) -> Outcome:
    """Check for an EncryptionKeyArn that 004, 005 and 006 accept, where CloudWatch logging is on.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_CloudWatchLogConfiguration.html
    https://docs.aws.amazon.com/emr/latest/APIReference/API_SessionCloudWatchLoggingConfiguration.html
    """
    evaluated = [(each, _evaluate(facts, each)) for each in _senders(facts)]
    results = [(each, outcome) for each, outcomes in evaluated for outcome in outcomes]
    unlisted = facts.sessions if isinstance(facts.sessions, Unresolved) else None
    outcome = most_severe(results, _sentence, unlisted)
    if outcome is not None:
        return outcome
    if not evaluated:
        return not_applicable("neither the cluster nor a session sends logs to CloudWatch")
    keys = {
        each.key.arn: None
        for each, (encrypts, *_) in evaluated
        if isinstance(each.key, KmsKey) and encrypts.compliance is Compliance.COMPLIANT
    }
    if not keys:
        return not_applicable("the key is the log key: another rule reports its state")
    return compliant(f"CloudWatch logs are encrypted with customer-managed key {', '.join(keys)}")


def _senders(facts: ClusterFacts) -> Iterator[_Sender]:
    cluster = facts.cluster
    if cluster.cloudwatch_logs:
        yield _Sender("the cluster", cluster.cloudwatch_key_identifier, facts.cloudwatch_key)
    for each in facts.workloads:
        session = each.workload
        if isinstance(session, Session) and session.cloudwatch_logs:
            identifier = session.cloudwatch_key_identifier
            yield _Sender(session.title, identifier, each.cloudwatch_key, session)


def _evaluate(facts: ClusterFacts, sender: _Sender) -> tuple[Outcome, ...]:
    """Evaluate a sender's key as 005, 004 and 006 do the log key, in this order."""
    if sender.key is None:
        return (
            non_compliant(f"{sender.title} sends logs to CloudWatch and names no key for them"),
        )
    as_cluster = _logging_to_cloudwatch(facts, sender)
    encrypts = usable.can_encrypt(as_cluster)
    if encrypts.broken and _is_the_log_keys(facts, sender.key):
        encrypts = not_applicable("another rule reports the state of the log key")
    return tuple(
        replace(outcome, summary=f"CloudWatch logs of {sender.title}: {outcome.summary}")
        for outcome in (encrypts, customer_managed.check(as_cluster), approved.check(as_cluster))
    )


def _logging_to_cloudwatch(facts: ClusterFacts, sender: _Sender) -> ClusterFacts:
    return logging_with(facts, "CloudWatch", sender.identifier, sender.key)


def _is_the_log_keys(facts: ClusterFacts, key: KeyFact) -> bool:
    """Whether it is the log key, whose problem another rule reports: one cause, one finding."""
    if facts.cluster.archive_uri is None or key != facts.log_key:
        return False
    return isinstance(key, KeyNotFound) or usable.is_lost(key, facts.cluster.region)


def _sentence(results: Sequence[Result[_Sender]]) -> str:
    first, outcome = results[0]
    more = len({each.title for each, _ in results} - {first.title})
    return f"{outcome.summary} (and {more} more)" if more else outcome.summary


def remediation(facts: ClusterFacts) -> str:
    """Restore lost keys; otherwise log with another key."""
    broken = [each for each in _senders(facts) if any(o.broken for o in _evaluate(facts, each))]
    commands = [
        make_usable(facts, each.key)
        for each in broken
        if isinstance(each.key, KmsKey) and _only_lost(facts, each)
    ]
    others = [each for each in broken if not _only_lost(facts, each)]
    if any(each.session is None for each in others):
        commands.append(
            "# Add --monitoring-configuration with a CloudWatchLogConfiguration that has an "
            f"EncryptionKeyArn.\n{relaunch(facts)}"
        )
    again = terminate_sessions(
        facts,
        [each.session for each in others if each.session is not None],
        f"with EncryptionKeyArn={right_key(facts)} in the CloudWatchLoggingConfiguration",
    )
    return "\n".join(dict.fromkeys((*commands, *again)))


def _only_lost(facts: ClusterFacts, sender: _Sender) -> bool:
    """Whether restoring the key is enough."""
    as_cluster = _logging_to_cloudwatch(facts, sender)
    return (
        usable.is_lost(sender.key, facts.cluster.region) and not approved.check(as_cluster).broken
    )


RULE = Rule(
    id="EMRLOG-010",
    name="cloudwatch-logs-customer-key",
    severity=Severity.MEDIUM,
    violation="the cluster or an active Spark Connect session sends logs to CloudWatch, without a "
    "key or with one that violates 004, 005 or 006",
    precondition="the cluster or a session sends logs to CloudWatch",
    why="The same logs are in CloudWatch, where no key policy of yours protects them.",
    check=check,
    remediation=remediation,
)
