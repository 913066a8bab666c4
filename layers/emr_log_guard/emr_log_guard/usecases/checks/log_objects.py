"""Check a batch of log objects: gather each; then evaluate, record, decide and act by cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import exempted
from emr_log_guard.domain.finding_record import ClusterHistory, Kind, RuleResult
from emr_log_guard.domain.log_objects import LogObjectFacts, ObjectVersion
from emr_log_guard.domain.notification_plan import plan_notifications
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import ObjectNotFoundError, StalePolicyError
from emr_log_guard.events.log_objects import LogObjectCheckRequest, parse_log_object_request
from emr_log_guard.observability import logger, record_findings
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject
from emr_log_guard.usecases.evaluate import evaluate_log_objects
from emr_log_guard.usecases.findings import ActionDispatcher, CheckResult, FindingRecorder
from emr_log_guard.usecases.ports import FindingRepository, PolicyInForce


@dataclass(frozen=True, slots=True)
class LogObjectRead:
    """A log object's facts, and the message that pointed to it."""

    request: LogObjectCheckRequest
    cluster_id: str
    facts: LogObjectFacts | None
    """None when the object was to be looked at again and is gone."""


@dataclass(frozen=True, slots=True)
class CheckLogObjects:
    """Evaluates log objects by what S3, EMR and KMS say of them now."""

    read_object: ReadLogObject
    policy: PolicyInForce
    repository: FindingRepository
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def read(self, body: str) -> LogObjectRead | None:
        """Read the object that one queued message points to.

        Returns:
            Its facts; None when it is no cluster's log, or gone before it could be read.

        Raises:
            InvalidEventError: The body names no object.

        """
        return self._read(parse_log_object_request(body))

    def _read(self, request: LogObjectCheckRequest) -> LogObjectRead | None:
        try:
            facts = self.read_object.under(self.policy())(request.version)
        except ObjectNotFoundError:
            if request.otherwise:
                return self._read(replace(request, version=request.otherwise, otherwise=None))
            logger.info("log object is gone", object=str(request.version))
            return LogObjectRead(request, request.again_for, None) if request.again_for else None
        if facts is None:
            logger.info("object is no cluster's log", object=str(request.version))
            return None
        return LogObjectRead(request, facts.cluster_id, facts)

    def check(self, objects: Sequence[LogObjectRead | None]) -> tuple[LogObjectRead, ...]:
        """Check the objects of a batch, and notify of what is wrong, once a cluster.

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
                    self._check(cluster_id, reads, policy)
                except StalePolicyError:
                    self._check(cluster_id, reads, self.policy(force_refresh=True))
            except Exception:  # whatever it is: the messages come back, and fail in the end
                logger.exception("log objects not checked", cluster_id=cluster_id)
                failed += reads
        return tuple(failed)

    def _check(
        self,
        cluster_id: str,
        reads: Sequence[LogObjectRead],
        policy: Policy,
    ) -> None:
        """Evaluate one cluster's objects; record, decide and act where there is something to it."""
        now = self.clock()
        facts = list({read.facts.version: read.facts for read in reads if read.facts}.values())
        again = frozenset(
            read.request.version
            for read in reads
            if read.request.again_for or read.request.reencrypted
        )
        results: tuple[RuleResult, ...] = ()
        cluster: Cluster | None = None
        if facts:
            cluster = facts[0].cluster if isinstance(facts[0].cluster, Cluster) else None
            request = reads[0].request
            results = _results(
                Subject.of_logs(cluster_id, cluster, request.account, request.region),
                facts,
                again,
                EvaluationContext(policy, now, self.runbook),
            )
            findings = exempted((each.finding for each in results), cluster, policy, now)
            record_findings("log objects checked", cluster_id, findings, objects=len(facts))
        if not again and not any(each.finding.needs_attention for each in results):
            return
        history = self.repository.read(cluster_id)
        results = results or tuple(_remembered(history, again, now))
        if not facts and history.known:
            cluster = history.known.cluster
        since = min((read.request.at for read in reads if read.request.at), default=None)
        result = CheckResult(cluster_id, cluster, results, since=since)
        recorded = self.recorder.record(result, policy, history, decide=plan_notifications)
        self.dispatcher.dispatch(recorded)


def _results(
    subject: Subject,
    facts: Sequence[LogObjectFacts],
    again: frozenset[ObjectVersion],
    context: EvaluationContext,
) -> tuple[RuleResult, ...]:
    """Say of each rule which objects it is about, and which are compliant again."""
    undetermined: set[ObjectVersion] = set()

    def note(each: LogObjectFacts, outcomes: Mapping[str, Compliance]) -> None:
        if Compliance.INSUFFICIENT_DATA in outcomes.values():
            undetermined.add(each.version)

    results = evaluate_log_objects(subject, facts, context, named=len(facts), note=note)
    return tuple(replace(each, cleared=again - {*each.bad} - undetermined) for each in results)


def _remembered(
    history: ClusterHistory, again: frozenset[ObjectVersion], now: datetime
) -> Iterator[RuleResult]:
    """Take the findings that are remembered: all objects to be looked at again are gone."""
    for record in history.records.values():
        if record.kind is Kind.LOG_OBJECTS:
            finding = replace(record.finding, compliance=Compliance.NOT_APPLICABLE)
            yield RuleResult(finding, Kind.LOG_OBJECTS, now, cleared=again)
