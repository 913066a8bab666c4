"""Check a batch of log objects: read each, judge them by cluster, tell once a cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import exempted
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.ledger import Kind, Memory, RuleResult
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts, ObjectVersion
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import ObjectNotFoundError, StalePolicyError
from emr_log_guard.events.log_objects import LogObjectHint, parse_log_object_hint
from emr_log_guard.observability import logger, record_findings
from emr_log_guard.rules import LOG_OBJECT_RULES
from emr_log_guard.rules.evaluation import (
    EvaluationContext,
    Subject,
    enabled_rules,
    evaluate_log_objects,
)
from emr_log_guard.rules.rule import Rule
from emr_log_guard.usecases.keep_ledger import CheckResult, KeepLedger
from emr_log_guard.usecases.ports import Ledger, PolicyInForce
from emr_log_guard.usecases.read_log_object import ReadLogObject


@dataclass(frozen=True, slots=True)
class LogObjectRead:
    """A log object's facts, and the message that pointed to it."""

    hint: LogObjectHint
    cluster_id: str
    facts: LogObjectFacts | None
    """None when the object was to be looked at again and is gone."""


@dataclass(frozen=True, slots=True)
class CheckLogObjects:
    """Judges log objects by what S3, EMR and KMS say of them now."""

    read_object: ReadLogObject
    policy: PolicyInForce
    ledger: Ledger
    keep: KeepLedger
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def read(self, body: str) -> LogObjectRead | None:
        """Read the object that one queued message points to.

        Returns:
            Its facts; None when it is no cluster's log, or gone before it could be read.

        Raises:
            InvalidEventError: The body names no object.

        """
        return self._read(parse_log_object_hint(body))

    def _read(self, hint: LogObjectHint) -> LogObjectRead | None:
        try:
            facts = self.read_object.under(self.policy())(hint.version)
        except ObjectNotFoundError:
            if hint.otherwise:
                return self._read(replace(hint, version=hint.otherwise, otherwise=None))
            logger.info("log object is gone", object=str(hint.version))
            return LogObjectRead(hint, hint.again_for, None) if hint.again_for else None
        if facts is None:
            logger.info("object is no cluster's log", object=str(hint.version))
            return None
        return LogObjectRead(hint, facts.cluster_id, facts)

    def judge(self, objects: Sequence[LogObjectRead | None]) -> tuple[LogObjectRead, ...]:
        """Judge the objects of a batch and tell of what is wrong, once a cluster.

        Returns:
            The objects of the clusters for which that failed, to be delivered again; what went
            wrong with one cluster holds up no other.

        """
        policy = self.policy()
        failed: list[LogObjectRead] = []
        logs = [read for read in objects if read is not None]
        ordered = sorted(logs, key=lambda read: read.cluster_id)
        for cluster_id, group in groupby(ordered, key=lambda read: read.cluster_id):
            reads = tuple(group)
            try:
                try:
                    self._judge(cluster_id, reads, policy)
                except StalePolicyError:
                    self._judge(cluster_id, reads, self.policy(afresh=True))
            except Exception:  # whatever it is: the messages come back, and fail in the end
                logger.exception("log objects not checked", cluster_id=cluster_id)
                failed += reads
        return tuple(failed)

    def _judge(
        self,
        cluster_id: str,
        reads: Sequence[LogObjectRead],
        policy: Policy,
    ) -> None:
        """Judge one cluster's objects; the ledger is asked only where there is something to it."""
        now = self.clock()
        rules = enabled_rules(LOG_OBJECT_RULES, policy)
        facts = [read.facts for read in reads if read.facts]
        again = frozenset(
            read.hint.version for read in reads if read.hint.again_for or read.hint.reencrypted
        )
        findings: tuple[Finding, ...] = ()
        cluster: Cluster | None = None
        if facts:
            subject = _subject(cluster_id, facts[0], reads[0].hint)
            findings = evaluate_log_objects(
                subject, facts, rules, EvaluationContext(now, self.runbook)
            )
            cluster = facts[0].cluster if isinstance(facts[0].cluster, Cluster) else None
            told = exempted(findings, cluster, policy, now)
            record_findings("log objects checked", cluster_id, told, objects=len(facts))
        if not again and not any(finding.needs_attention for finding in findings):
            return
        memory = self.ledger.read(cluster_id)
        sightings = tuple(_sightings(findings or _remembered(memory), facts, again, rules, now))
        if not facts and memory.known:
            cluster = memory.known.cluster
        since = min((read.hint.at for read in reads if read.hint.at), default=None)
        self.keep(CheckResult(cluster_id, cluster, sightings, since=since), policy, memory)


def _sightings(
    findings: Iterable[Finding],
    facts: Sequence[LogObjectFacts],
    again: frozenset[ObjectVersion],
    rules: Sequence[Rule[LogObjectFacts]],
    now: datetime,
) -> Iterator[RuleResult]:
    """Say of each rule which objects it is about, and which are good again."""
    outcomes = {
        rule.id: {each.version: rule.check(each).compliance for each in facts} for rule in rules
    }
    doubtful = {
        version
        for by_version in outcomes.values()
        for version, compliance in by_version.items()
        if compliance is Compliance.INSUFFICIENT_DATA
    }
    written = {
        each.version: each.encryption.written_at
        for each in facts
        if isinstance(each.encryption, Encryption) and each.encryption.written_at
    }
    for finding in findings:
        of_rule = outcomes.get(finding.rule_id, {})
        concerned = tuple(
            v for v, compliance in of_rule.items() if compliance is finding.compliance
        )
        broken = {v for v, compliance in of_rule.items() if compliance is Compliance.NON_COMPLIANT}
        newest = max((written[v] for v in concerned if v in written), default=None)
        yield RuleResult(
            finding,
            Kind.LOG_OBJECTS,
            now,
            bad=concerned if finding.needs_attention else (),
            newest=newest,
            cleared=again - broken - doubtful,
        )


def _remembered(memory: Memory) -> Iterator[Finding]:
    """Take the findings that are remembered: all objects to be looked at again are gone."""
    for entry in memory.entries.values():
        if entry.kind is Kind.LOG_OBJECTS:
            yield replace(entry.finding, compliance=Compliance.NOT_APPLICABLE)


def _subject(cluster_id: str, facts: LogObjectFacts, hint: LogObjectHint) -> Subject:
    if isinstance(facts.cluster, Cluster):
        return Subject.of(facts.cluster)
    return Subject.unknown(cluster_id, hint.account, hint.region)
