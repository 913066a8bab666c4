"""Facts and rules in, findings out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from emr_log_guard.domain.arn import Arn, bucket_arn, partition_of
from emr_log_guard.domain.clusters import (
    BucketOwnership,
    Cluster,
    ClusterFacts,
    LogBucket,
    Session,
    Step,
    StepState,
    Workload,
)
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.finding_record import Kind, RuleResult
from emr_log_guard.domain.findings import Evidence, Finding, Outcome, Status
from emr_log_guard.domain.keys import KmsKey
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts, ObjectVersion
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.rule import Rule

type _Evaluated = tuple[LogObjectFacts, Outcome]

SAMPLES = 5
"""How many objects a finding names."""


def enabled_rules[Facts](rules: Iterable[Rule[Facts]], policy: Policy) -> tuple[Rule[Facts], ...]:
    """Return the rules that the policy enables, with its severities."""
    return tuple(
        replace(rule, severity=policy.severity_of(rule)) for rule in rules if policy.enabled(rule)
    )


def _all(_: Rule[Any]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What every finding of one check shares."""

    policy: Policy
    now: datetime
    """UTC"""
    runbook: Callable[[str], str]
    """Returns the runbook of a rule id."""
    selects: Callable[[Rule[Any]], bool] = _all
    """Selects which of the enabled rules are evaluated."""

    def rules[Facts](self, rules: Iterable[Rule[Facts]]) -> tuple[Rule[Facts], ...]:
        """Return those of the rules that are evaluated, with the policy's severities."""
        return tuple(filter(self.selects, enabled_rules(rules, self.policy)))


@dataclass(frozen=True, slots=True)
class Subject:
    """What findings are about: a cluster, known to EMR or not, or a log bucket."""

    id: str
    arn: str
    account: str
    region: str
    name: str | None = None
    launched_by: str | None = None
    """The ARN of who launched the cluster; None when unknown."""

    @classmethod
    def of(cls, cluster: Cluster, launched_by: str | None = None) -> "Subject":
        """Describe a cluster that EMR knows."""
        return cls(
            cluster.id, cluster.arn, cluster.account, cluster.region, cluster.name, launched_by
        )

    @classmethod
    def of_bucket(cls, bucket: str, account: str, region: str) -> "Subject":
        """Describe a log bucket, of clusters of this account and Region."""
        arn = bucket_arn(bucket, region)
        return cls(arn, arn, account, region)

    @classmethod
    def of_logs(
        cls, cluster_id: str, cluster: Cluster | Unresolved | None, account: str, region: str
    ) -> "Subject":
        """Describe the cluster that a log object's key names.

        Args:
            cluster_id: The cluster's id, as the key names it.
            cluster: The cluster, if EMR knows it here.
            account: Its account if EMR does not know it, twelve digits.
            region: Its Region if EMR does not know it.

        """
        if isinstance(cluster, Cluster):
            return cls.of(cluster)
        place = Arn(partition_of(region), "elasticmapreduce", region, account, "cluster")
        return cls(cluster_id, f"{place}/{cluster_id}", account, region)


def cluster_findings(
    subject: Subject,
    facts: ClusterFacts,
    rules: Iterable[Rule[ClusterFacts]],
    context: EvaluationContext,
) -> tuple[Finding, ...]:
    """Evaluate a cluster against each rule.

    Returns:
        One finding per rule, with any compliance, in the rules' order.

    """
    evidence = _cluster_evidence(facts)
    findings = []
    for rule in rules:
        outcome = rule.check(facts)
        fix = rule.remediation(facts) if outcome.broken else ""
        findings.append(_finding(rule, subject, context, outcome, evidence=evidence, fix=fix))
    return tuple(findings)


def bucket_results(
    subject: Subject,
    bucket: LogBucket,
    clusters: tuple[str, ...],
    rules: Iterable[Rule[LogBucket]],
    context: EvaluationContext,
) -> tuple[RuleResult, ...]:
    """Evaluate a log bucket against each rule, and name clusters that log there."""
    evidence: Evidence = {"log_bucket": bucket.name, "samples": clusters}
    findings = []
    for rule in rules:
        outcome = rule.check(bucket)
        fix = rule.remediation(bucket) if outcome.broken else ""
        findings.append(_finding(rule, subject, context, outcome, evidence=evidence, fix=fix))
    return tuple(RuleResult(each, Kind.LOG_BUCKET, context.now) for each in findings)


@dataclass(slots=True)
class _Group:
    """The objects for which a rule has the same result."""

    count: int = 0
    samples: list[_Evaluated] = field(default_factory=list)
    objects: list[ObjectVersion] = field(default_factory=list)
    newest: datetime | None = None
    """When the newest of them was written, UTC; None when unknown."""

    def add(self, facts: LogObjectFacts, outcome: Outcome, named: int) -> None:
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append((facts, outcome))
        if len(self.objects) < named:
            self.objects.append(facts.version)
        written = facts.encryption.written_at if isinstance(facts.encryption, Encryption) else None
        if written is not None:
            self.newest = max(written, self.newest or written)


class Tally:
    """The results for one cluster's log objects, in one pass: there may be millions."""

    def __init__(self, rules: Sequence[Rule[LogObjectFacts]], named: int = 0) -> None:
        """Evaluate these rules, and keep the names of `named` objects for each result."""
        self._rules = rules
        self._named = named
        self._groups = {rule.id: defaultdict[Compliance, _Group](_Group) for rule in rules}

    def add(self, facts: LogObjectFacts) -> dict[str, Compliance]:
        """Evaluate one more object.

        Returns:
            The result of each rule, by rule id.

        """
        outcomes = {rule.id: rule.check(facts) for rule in self._rules}
        for rule_id, outcome in outcomes.items():
            self._groups[rule_id][outcome.compliance].add(facts, outcome, self._named)
        return {rule_id: outcome.compliance for rule_id, outcome in outcomes.items()}

    def results(self, subject: Subject, context: EvaluationContext) -> tuple[RuleResult, ...]:
        """Summarize the objects.

        Returns:
            One result per rule, with a count and samples of objects: the non-compliant ones, or the
            undetermined ones if there are none. Empty without objects.

        """
        return tuple(
            _object_result(rule, groups, subject, context)
            for rule in self._rules
            if (groups := self._groups[rule.id])
        )


def _object_result(
    rule: Rule[LogObjectFacts],
    groups: Mapping[Compliance, _Group],
    subject: Subject,
    context: EvaluationContext,
) -> RuleResult:
    worst = overall(groups)
    group = groups[worst]
    first, outcome = group.samples[0]
    fix = rule.remediation(first) if worst is Compliance.NON_COMPLIANT else ""
    finding = _finding(
        rule,
        subject,
        context,
        _and_more(outcome, group.count - 1),
        evidence=_object_evidence(group, groups),
        fix=f"# For each of the {group.count} objects:\n{fix}" if fix and group.count > 1 else fix,
    )
    finding = replace(finding, occurrences=group.count)
    return RuleResult(
        finding,
        Kind.LOG_OBJECTS,
        context.now,
        bad=tuple(group.objects) if finding.needs_attention else (),
        newest=group.newest,
    )


def _finding[Facts](  # noqa: PLR0913 - each is a part of the finding
    rule: Rule[Facts],
    subject: Subject,
    context: EvaluationContext,
    outcome: Outcome,
    *,
    evidence: Evidence,
    fix: str,
) -> Finding:
    return Finding(
        id=f"{subject.arn}#{rule.id}",
        rule_id=rule.id,
        rule_name=rule.name,
        compliance=outcome.compliance,
        severity=rule.severity,
        status=Status.OPEN,
        account=subject.account,
        region=subject.region,
        cluster_id=subject.id,
        cluster_name=subject.name,
        cluster_arn=subject.arn,
        launched_by=subject.launched_by,
        summary=outcome.summary,
        evidence=evidence,
        remediation=fix,
        first_seen=context.now,
        last_seen=context.now,
        occurrences=1,
        deadline=None,
        runbook=context.runbook(rule.id),
        once_lasting=outcome.once_lasting,
        over=outcome.over,
    )


def _cluster_evidence(facts: ClusterFacts) -> Evidence:
    cluster, key = facts.cluster, facts.log_key
    evidence: dict[str, str | int | bool | tuple[str, ...] | None] = {
        "log_uri": cluster.log_uri,
        "log_encryption_kms_key_id": cluster.log_key_identifier,
        "release_label": cluster.release_label,
        "cluster_state": cluster.state,
    }
    if cluster.ami_version is not None:
        evidence["ami_version"] = cluster.ami_version
    for name, found in (("steps", facts.steps), ("sessions", facts.sessions)):
        if found and not isinstance(found, Unresolved):
            evidence[name] = tuple(_describe(cluster, each.workload) for each in found[:SAMPLES])
    places = tuple(
        f"{bucket.name}: {bucket.ownership.owner or 'an unknown account'}, "
        f"{bucket.ownership.region or 'an unknown Region'}"
        for bucket in facts.log_buckets
        if isinstance(bucket.ownership, BucketOwnership)
    )
    if places:
        evidence["log_buckets"] = places[:SAMPLES]
    if isinstance(key, KmsKey):
        evidence |= {
            "key_arn": key.arn,
            "key_manager": key.manager,
            "key_state": key.state,
            "key_spec": key.spec,
        }
    return evidence


def _describe(cluster: Cluster, workload: Workload) -> str:
    """Describe where a workload logs to, with which key, and the state of a step."""
    known = [
        f"{workload.log_uri or cluster.log_uri}",
        f"{workload.log_key_identifier or cluster.log_key_identifier}",
    ]
    match workload:
        case Step(state=StepState() as state):
            known.append(state)
        case Session():
            if workload.cloudwatch_logs:
                known.append(f"CloudWatch: {workload.cloudwatch_key_identifier or 'no key'}")
            if workload.managed_logs:
                known.append(f"managed by EMR: {workload.managed_key_identifier or 'no key'}")
        case _:
            pass
    return f"{workload.id}: {', '.join(known)}"


def _object_evidence(group: _Group, groups: Mapping[Compliance, _Group]) -> Evidence:
    first, _ = group.samples[0]
    encryption = first.encryption if isinstance(first.encryption, Encryption) else None
    unread = groups.get(Compliance.INSUFFICIENT_DATA, _Group())
    return {
        "samples": tuple(str(facts.version) for facts, _ in group.samples),
        "encryption": encryption.algorithm if encryption else None,
        "key": encryption.key_identifier if encryption else None,
        "expected_key": first.expected_key.arn if isinstance(first.expected_key, KmsKey) else None,
        "undetermined": 0 if unread is group else unread.count,
    }


def _and_more(outcome: Outcome, more: int) -> Outcome:
    if not more:
        return outcome
    objects = "object" if more == 1 else "objects"
    return replace(outcome, summary=f"{outcome.summary} (and {more} more {objects})")
