"""Facts and rules in, findings out."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from emr_log_guard.domain.arn import Arn, partition_of
from emr_log_guard.domain.clusters import (
    BucketOwnership,
    Cluster,
    ClusterFacts,
    Session,
    Step,
    StepState,
    Workload,
)
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.findings import Evidence, Finding, Outcome, Status
from emr_log_guard.domain.keys import KmsKey
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.rule import Rule

type _Judged = tuple[LogObjectFacts, Outcome]

SAMPLES = 5
"""How many objects a finding names: enough to see the pattern, and it fits into any alert."""


def enabled_rules[Facts](rules: Iterable[Rule[Facts]], policy: Policy) -> tuple[Rule[Facts], ...]:
    """Leave out the rules that the policy disables, and take its severities for the others."""
    return tuple(
        replace(rule, severity=policy.severity_of(rule)) for rule in rules if policy.enabled(rule)
    )


@dataclass(frozen=True, slots=True)
class Subject:
    """The cluster that findings are about, known to EMR or not."""

    id: str
    arn: str
    account: str
    region: str
    name: str | None = None

    @classmethod
    def of(cls, cluster: Cluster) -> "Subject":
        """Speak of a cluster that EMR knows."""
        return cls(cluster.id, cluster.arn, cluster.account, cluster.region, cluster.name)

    @classmethod
    def unknown(cls, cluster_id: str, account: str, region: str) -> "Subject":
        """Speak of a cluster that only a log object's key names."""
        place = Arn(partition_of(region), "elasticmapreduce", region, account, "cluster")
        return cls(cluster_id, f"{place}/{cluster_id}", account, region)


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What every finding of one check shares."""

    now: datetime
    """UTC"""
    runbook: Callable[[str], str]
    """Says where the runbook of a rule id is."""
    launched_by: str | None = None
    """The ARN of who launched the cluster, if that is known."""


def evaluate_cluster(
    facts: ClusterFacts, rules: Iterable[Rule[ClusterFacts]], context: EvaluationContext
) -> tuple[Finding, ...]:
    """Judge a cluster by each rule.

    Returns:
        A finding a rule, whatever its compliance, in the rules' order.

    """
    subject = Subject.of(facts.cluster)
    evidence = _cluster_evidence(facts)
    findings = []
    for rule in rules:
        outcome = rule.check(facts)
        fix = rule.remediation(facts) if outcome.broken else ""
        findings.append(_finding(rule, subject, context, outcome, evidence=evidence, fix=fix))
    return tuple(findings)


def evaluate_log_objects(
    subject: Subject,
    objects: Iterable[LogObjectFacts],
    rules: Iterable[Rule[LogObjectFacts]],
    context: EvaluationContext,
) -> tuple[Finding, ...]:
    """Judge log objects of one cluster by each rule, in one pass: there may be millions.

    Returns:
        A finding a rule, with a count and samples of the objects that it is about: the broken
        ones if there are any, else those that could not be determined. None without objects.

    """
    tallies = [_Tally(rule) for rule in rules]
    for facts in objects:
        for tally in tallies:
            tally.add(facts)
    findings = []
    for tally in tallies:
        if not tally.counts:
            continue
        worst = overall(tally.counts)
        concerned, count = tally.samples[worst], tally.counts[worst]
        first, outcome = concerned[0]
        fix = tally.rule.remediation(first) if worst is Compliance.NON_COMPLIANT else ""
        finding = _finding(
            tally.rule,
            subject,
            context,
            _and_more(outcome, count - 1),
            evidence=_object_evidence(concerned, tally.counts),
            fix=f"# For each of the {count} objects:\n{fix}" if fix and count > 1 else fix,
        )
        findings.append(replace(finding, occurrences=count))
    return tuple(findings)


class _Tally:
    """What a rule said of the objects so far: how many there are of a kind, and the first few."""

    def __init__(self, rule: Rule[LogObjectFacts]) -> None:
        self.rule = rule
        self.counts: Counter[Compliance] = Counter()
        self.samples: defaultdict[Compliance, list[_Judged]] = defaultdict(list)

    def add(self, facts: LogObjectFacts) -> None:
        outcome = self.rule.check(facts)
        self.counts[outcome.compliance] += 1
        samples = self.samples[outcome.compliance]
        if len(samples) < SAMPLES:
            samples.append((facts, outcome))


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
        launched_by=context.launched_by,
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
    """Say where a workload logs to, with which key, and what state a step is in."""
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


def _object_evidence(concerned: Sequence[_Judged], counts: Mapping[Compliance, int]) -> Evidence:
    first, compliance = concerned[0][0], concerned[0][1].compliance
    encryption = first.encryption if isinstance(first.encryption, Encryption) else None
    doubtful = counts.get(Compliance.INSUFFICIENT_DATA, 0)
    return {
        "samples": tuple(str(facts.version) for facts, _ in concerned),
        "encryption": encryption.algorithm if encryption else None,
        "key": encryption.key_identifier if encryption else None,
        "expected_key": first.expected_key.arn if isinstance(first.expected_key, KmsKey) else None,
        "undetermined": 0 if compliance is Compliance.INSUFFICIENT_DATA else doubtful,
    }


def _and_more(outcome: Outcome, more: int) -> Outcome:
    if not more:
        return outcome
    objects = "object" if more == 1 else "objects"
    return replace(outcome, summary=f"{outcome.summary} (and {more} more {objects})")
