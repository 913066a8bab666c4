"""Check a batch of log objects: gather each; then evaluate, record, decide and act by cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import exempted, reencrypted_rules
from emr_log_guard.domain.finding_record import ClusterHistory, Kind, RuleResult
from emr_log_guard.domain.log_objects import LogObjectFacts, ObjectVersion
from emr_log_guard.domain.notification_plan import plan_notifications
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import ObjectNotFoundError, StalePolicyError
from emr_log_guard.events.log_objects import LogObjectCheckRequest, parse_log_object_request
from emr_log_guard.observability import logger, record_failed_messages, record_findings
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject
from emr_log_guard.usecases.evaluate import evaluate_log_objects
from emr_log_guard.usecases.findings import ActionDispatcher, CheckResult, FindingRecorder
from emr_log_guard.usecases.ports import FindingRepository, PolicyProvider, ReencryptionQueue


@dataclass(frozen=True, slots=True)
class LogObjectRead:
    """A log object's facts, and its message."""

    request: LogObjectCheckRequest
    cluster_id: str
    facts: LogObjectFacts | None
    """None when the object was to be re-checked and no longer exists."""


@dataclass(frozen=True, slots=True)
class CheckLogObjects:
    """Evaluates log objects from the current answers of S3, EMR and KMS."""

    read_object: ReadLogObject
    policy: PolicyProvider
    repository: FindingRepository
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]
    reencryption: ReencryptionQueue | None = None
    """None in a stack that may not re-encrypt log objects."""

    def read(self, body: str) -> LogObjectRead | None:
        """Read the object of one queued message.

        Returns:
            Its facts; None when it is not a cluster's log, or no longer exists.

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
            logger.info("log object not found", object=str(request.version))
            return (
                LogObjectRead(request, request.recheck_for, None) if request.recheck_for else None
            )
        if facts is None:
            logger.info("object is not a cluster's log", object=str(request.version))
            return None
        return LogObjectRead(request, facts.cluster_id, facts)

    def check(self, objects: Sequence[LogObjectRead | None]) -> tuple[LogObjectRead, ...]:
        """Check the objects of a batch, and notify once per cluster.

        Returns:
            The objects of the clusters whose check failed, to be redelivered; an error of one
            cluster does not affect the others.

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
            except Exception:  # any error: the messages are redelivered, then dead-lettered
                logger.exception("log objects not checked", cluster_id=cluster_id)
                record_failed_messages(len(reads))
                failed += reads
        return tuple(failed)

    def _check(
        self,
        cluster_id: str,
        reads: Sequence[LogObjectRead],
        policy: Policy,
    ) -> None:
        """Evaluate one cluster's objects; record, decide and act if needed."""
        now = self.clock()
        facts = list({read.facts.version: read.facts for read in reads if read.facts}.values())
        rechecked = frozenset(
            read.request.version
            for read in reads
            if read.request.recheck_for or read.request.reencrypted
        )
        results: tuple[RuleResult, ...] = ()
        outcomes: dict[ObjectVersion, Mapping[str, Compliance]] = {}
        cluster: Cluster | None = None
        if facts:
            cluster = facts[0].cluster if isinstance(facts[0].cluster, Cluster) else None
            request = reads[0].request
            results = _results(
                Subject.of_logs(cluster_id, cluster, request.account, request.region),
                facts,
                rechecked,
                EvaluationContext(policy, now, self.runbook),
                outcomes,
            )
            findings = exempted((each.finding for each in results), cluster, policy, now)
            record_findings("log objects checked", cluster_id, findings, objects=len(facts))
        if not rechecked and not any(each.finding.needs_attention for each in results):
            return
        history = self.repository.read(cluster_id)
        results = results or tuple(_not_found(history, rechecked, now))
        if not facts and history.known:
            cluster = history.known.cluster
        since = min((read.request.at for read in reads if read.request.at), default=None)
        result = CheckResult(cluster_id, cluster, results, since=since)
        recorded = self.recorder.record(result, policy, history, decide=plan_notifications)
        if self.reencryption is not None and cluster is not None:
            self.reencryption.send(_to_reencrypt(outcomes, cluster, policy, now))
        self.dispatcher.dispatch(recorded)


def _to_reencrypt(
    outcomes: Mapping[ObjectVersion, Mapping[str, Compliance]],
    cluster: Cluster,
    policy: Policy,
    now: datetime,
) -> Iterator[ObjectVersion]:
    """Return the objects of a known cluster that may be re-encrypted: `reencrypt` decides."""
    remediated = reencrypted_rules(cluster, policy, now)
    for version, outcome in outcomes.items():
        if any(outcome.get(rule_id) is Compliance.NON_COMPLIANT for rule_id in remediated):
            yield version


def _results(
    subject: Subject,
    facts: Sequence[LogObjectFacts],
    rechecked: frozenset[ObjectVersion],
    context: EvaluationContext,
    outcomes: dict[ObjectVersion, Mapping[str, Compliance]],
) -> tuple[RuleResult, ...]:
    """Return each rule's result, and which re-checked objects are compliant again.

    The results of each object are added to `outcomes`.
    """

    def note(each: LogObjectFacts, outcome: Mapping[str, Compliance]) -> None:
        outcomes[each.version] = outcome

    results = evaluate_log_objects(subject, facts, context, named=len(facts), note=note)
    undetermined = {
        version
        for version, outcome in outcomes.items()
        if Compliance.INSUFFICIENT_DATA in outcome.values()
    }
    return tuple(replace(each, cleared=rechecked - {*each.bad} - undetermined) for each in results)


def _not_found(
    history: ClusterHistory, rechecked: frozenset[ObjectVersion], now: datetime
) -> Iterator[RuleResult]:
    """Return results for the stored findings: none of the re-checked objects exists."""
    for record in history.records.values():
        if record.kind is Kind.LOG_OBJECTS:
            finding = replace(record.finding, compliance=Compliance.NOT_APPLICABLE)
            yield RuleResult(finding, Kind.LOG_OBJECTS, now, cleared=rechecked)
