"""Check a batch of log objects: read each, judge them by cluster, tell once a cluster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import decide, grounds
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import LogObjectFacts, ObjectVersion
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import ObjectNotFoundError
from emr_log_guard.events.s3 import ObjectCreated, parse_object_created
from emr_log_guard.observability import logger, record_findings
from emr_log_guard.rules import LOG_OBJECT_RULES
from emr_log_guard.rules.in_force import in_force
from emr_log_guard.rules.judge import Judging, Subject, judge_log_objects
from emr_log_guard.usecases.act import Act
from emr_log_guard.usecases.read_log_object import ReadLogObject

_REQUEST_OBJECTS = 20
"""How many log objects a request for enforcement names: one badly encrypted is reason enough."""


@dataclass(frozen=True, slots=True)
class LogObjectRead:
    """A log object's facts, and the event that pointed to it."""

    event: ObjectCreated
    facts: LogObjectFacts


@dataclass(frozen=True, slots=True)
class CheckLogObjects:
    """Judges log objects by what S3, EMR and KMS say of them now."""

    read_object: ReadLogObject
    policy: Callable[[], Policy]
    """Gives the policy in force."""
    act: Act
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def read(self, body: str) -> LogObjectRead | None:
        """Read the object that one queued event points to.

        Returns:
            Its facts; None when it is no cluster's log, or gone before it could be read.

        Raises:
            InvalidEventError: The body is not an event of S3.

        """
        event = parse_object_created(body)
        try:
            facts = self.read_object(event.version)
        except ObjectNotFoundError:
            logger.info("log object is gone", object=str(event.version))
            return None
        if facts is None:
            logger.info("object is no cluster's log", object=str(event.version))
            return None
        return LogObjectRead(event, facts)

    def judge(self, objects: Sequence[LogObjectRead]) -> None:
        """Judge the objects of a batch and tell of what is wrong, once a cluster."""
        now = self.clock()
        policy = self.policy()
        rules = in_force(LOG_OBJECT_RULES, policy)
        for subject, cluster, facts in _by_cluster(objects):
            findings = judge_log_objects(subject, facts, rules, Judging(now, self.runbook))
            record_findings("log objects checked", subject.id, findings, objects=len(facts))
            broken = _broken(facts, findings, policy)
            self.act(decide(findings, cluster, policy, now, broken))


def _by_cluster(
    objects: Sequence[LogObjectRead],
) -> Iterator[tuple[Subject, Cluster | None, list[LogObjectFacts]]]:
    ordered = sorted(objects, key=lambda read: read.facts.cluster_id)
    for cluster_id, group in groupby(ordered, key=lambda read: read.facts.cluster_id):
        reads = list(group)
        cluster = reads[0].facts.cluster
        event = reads[0].event
        if isinstance(cluster, Cluster):
            yield Subject.of(cluster), cluster, [read.facts for read in reads]
        else:
            subject = Subject.unknown(cluster_id, event.account, event.region)
            yield subject, None, [read.facts for read in reads]


def _broken(
    facts: Sequence[LogObjectFacts], findings: Sequence[Finding], policy: Policy
) -> tuple[ObjectVersion, ...]:
    """Name the objects for which the policy would end the cluster, for `enforce` to read again."""
    broken = {finding.rule_id for finding in grounds(findings, policy)}
    return tuple(
        read.version
        for read in facts
        if any(
            rule.id in broken and rule.check(read).compliance is Compliance.NON_COMPLIANT
            for rule in LOG_OBJECT_RULES
        )
    )[:_REQUEST_OBJECTS]
