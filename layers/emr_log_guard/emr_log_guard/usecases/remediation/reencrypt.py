"""Re-encrypt log objects: read, evaluate and decide again, and only then call S3.

An attempt is recorded before S3 is called, and it counts once the object was read with its new key.
docs/adr/0023-reencryption.md
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from uuid import uuid4

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.decide import Alert, reencrypted_rules
from emr_log_guard.domain.finding_record import FindingRecord, Kind, ReencryptionResult, RuleResult
from emr_log_guard.domain.keys import same_key
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts, ObjectVersion
from emr_log_guard.domain.notification_plan import (
    NotificationPlan,
    Situation,
    plan_notifications,
)
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.reencrypted import TRIES, begin, unrecorded
from emr_log_guard.domain.reencryption import (
    Leave,
    Reencrypt,
    Refuse,
    Remediable,
    key_for,
    violation_of,
)
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    ObjectNotFoundError,
    ReencryptionRefusedError,
    StalePolicyError,
    TemporarilyUnavailableError,
)
from emr_log_guard.observability import logger, record_failed_messages, record_reencrypted
from emr_log_guard.rules import LOG_OBJECT_RULES
from emr_log_guard.rules.evaluation import EvaluationContext, Subject, Tally
from emr_log_guard.usecases.approved_keys import NotifyUnusableKeys, resolve_default_key
from emr_log_guard.usecases.bounded_map import bounded_map
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject
from emr_log_guard.usecases.evaluate import evaluate_log_objects
from emr_log_guard.usecases.findings import (
    ActionDispatcher,
    CheckResult,
    FindingRecorder,
    update_record,
)
from emr_log_guard.usecases.ports import (
    BucketOwners,
    FindingRepository,
    Keys,
    PolicyProvider,
    ReencryptableLogObjects,
    ReencryptionBudget,
    ReencryptionQueue,
)

THREADS = 64
"""How many objects are read or re-encrypted at once: the client keeps that many connections."""
_LONGEST_DELAY = 900
"""The longest delay of a message in SQS, in seconds."""
_EXHAUSTED = (
    f"they were tried {TRIES} times within a day, or too many others of the cluster failed: see "
    "the other causes, and the log of the function reencrypt"
)
_UNCHANGED = (
    "s3:UpdateObjectEncryption succeeded, but the object was read with another key: it was "
    "replaced, or S3 did not change it"
)


def plan_alerts(situation: Situation, owner: str) -> NotificationPlan:
    """Plan the pending notifications of a cluster, and no termination: a check requests that."""
    plan = plan_notifications(situation, owner)
    alerts = tuple(action for action in plan.actions if isinstance(action, Alert))
    return replace(plan, actions=alerts)


@dataclass(frozen=True, slots=True)
class _Assessed:
    """An object as just read, and what was decided about it."""

    facts: LogObjectFacts
    cluster: Cluster
    decision: Reencrypt | Leave | Refuse
    compliant: bool
    owner: str = ""
    """The account that owns the bucket."""

    @property
    def version(self) -> ObjectVersion:
        """The object as it was named."""
        return self.facts.version

    @property
    def exact(self) -> ObjectVersion:
        """The version of it that was read."""
        encryption = self.facts.encryption
        read = encryption.version_id if isinstance(encryption, Encryption) else None
        return replace(self.version, version_id=read or self.version.version_id)

    @property
    def bucket_key(self) -> bool:
        """Whether it uses an S3 Bucket Key."""
        return isinstance(self.facts.encryption, Encryption) and self.facts.encryption.bucket_key


@dataclass(frozen=True, slots=True)
class _Chosen:
    """An object to re-encrypt."""

    assessed: _Assessed
    decision: Reencrypt

    @property
    def version(self) -> ObjectVersion:
        """The object as it was named."""
        return self.assessed.version


@dataclass(slots=True)
class _Results:
    """The results of one rule's objects."""

    done: dict[ObjectVersion, str] = field(default_factory=dict)
    failed: dict[ObjectVersion, str | None] = field(default_factory=dict)
    postponed: str | None = None
    """Why some of them have to wait; None when none has to."""
    unknown: set[ObjectVersion] = field(default_factory=set)
    """Those that may be re-encrypted nonetheless."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why an object was not re-encrypted, or may not have been."""

    cause: str | None
    """None when it is temporary."""
    unknown: bool = False
    """Whether it may be re-encrypted nonetheless: the answer was lost."""


@dataclass(frozen=True, slots=True)
class ReencryptLogObjects:
    """Re-encrypts log objects. A request only names an object; everything is read again."""

    read_object: ReadLogObject
    objects: ReencryptableLogObjects
    fresh_keys: Callable[[], Keys]
    """Returns a reader of keys without a cache: a key may have just been disabled."""
    fresh_buckets: Callable[[], BucketOwners]
    """Returns a reader of bucket owners without a cache."""
    policy: PolicyProvider
    repository: FindingRepository
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    budget: ReencryptionBudget
    queue: ReencryptionQueue
    """This function's own queue, for what exceeds the hour's budget."""
    notify_unusable_keys: NotifyUnusableKeys
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def reencrypt(self, requests: Sequence[ObjectVersion]) -> tuple[ObjectVersion, ...]:
        """Re-encrypt the objects of a batch that are to be.

        Args:
            requests: Objects that may have to be re-encrypted.

        Returns:
            The requests to be delivered again, because AWS failed or another invocation has them.

        """
        policy = self.policy(force_refresh=True)
        if policy.suspended:
            logger.warning("the policy could not be read or is invalid: nothing is re-encrypted")
            return tuple(requests)
        if not policy.reencryption.active:
            logger.info("re-encryption is disabled", objects=len(requests))
            return ()
        keys, buckets, again = self.fresh_keys(), self.fresh_buckets(), list[ObjectVersion]()
        clusters = defaultdict[str, list[_Assessed]](list)
        with ThreadPoolExecutor(THREADS) as pool:
            assess = partial(self._assessed_or_failed, policy=policy, keys=keys, buckets=buckets)
            for request, found in zip(
                requests, bounded_map(requests, assess, pool, len(requests) or 1), strict=True
            ):
                if isinstance(found, Exception):
                    again.append(request)
                elif found is not None:
                    clusters[found.facts.cluster_id].append(found)
            for cluster_id, assessed in clusters.items():
                try:
                    again += self._of_cluster(cluster_id, assessed, policy, pool)
                except Exception:  # any error: the messages are redelivered, then dead-lettered
                    logger.exception("log objects not re-encrypted", cluster_id=cluster_id)
                    record_failed_messages(len(assessed))
                    again += (each.version for each in assessed)
        self._notify_of_default_key([*chain.from_iterable(clusters.values())], policy, keys)
        return tuple(again)

    def _notify_of_default_key(
        self, assessed: Sequence[_Assessed], policy: Policy, keys: Keys
    ) -> None:
        """Notify of a `default_key` that cannot be used any more, if an object may need it."""
        refused = next((each for each in assessed if isinstance(each.decision, Refuse)), None)
        if refused is not None:
            found = resolve_default_key(policy, keys, refused.cluster.region)
            self.notify_unusable_keys(
                policy,
                {f"default_key {policy.reencryption.default_key}": each for each in found.problems},
            )

    def _assessed_or_failed(
        self, version: ObjectVersion, *, policy: Policy, keys: Keys, buckets: BucketOwners
    ) -> _Assessed | Exception | None:
        """Assess an object, so that the error of one does not affect the others."""
        try:
            return self._assess(version, policy, keys, buckets)
        except ObjectNotFoundError:
            logger.info("log object not found", object=str(version))
            return None
        except TemporarilyUnavailableError as error:
            logger.warning("log object not read", object=str(version), reason=str(error))
            return error
        except Exception as error:  # any error: the message is redelivered, then dead-lettered
            logger.exception("log object not read", object=str(version))
            record_failed_messages()
            return error

    def _assess(
        self, version: ObjectVersion, policy: Policy, keys: Keys, buckets: BucketOwners
    ) -> _Assessed | None:
        """Read an object, evaluate it, and decide; None when it is no log of a known cluster."""
        reader = replace(self.read_object.under(policy), keys=keys)
        facts = reader(version)
        if facts is None or not isinstance(facts.cluster, Cluster):
            logger.warning("object is not a known cluster's log", object=str(version))
            return None
        if isinstance(facts.encryption, Unresolved) and facts.encryption.transient:
            raise TemporarilyUnavailableError(facts.encryption.reason)
        cluster, now = facts.cluster, self.clock()
        context = EvaluationContext(policy, now, self.runbook)
        outcomes = Tally(context.rules(LOG_OBJECT_RULES)).add(facts)
        violation = violation_of(facts, outcomes, reencrypted_rules(cluster, policy, now))
        if not isinstance(violation, Remediable):
            compliant = not overall(outcomes.values()).needs_attention
            return _Assessed(facts, cluster, violation, compliant)
        target = reader.target(version, cluster, buckets)
        for fact in (target.named, target.default, target.bucket):
            if isinstance(fact, Unresolved) and fact.transient:
                raise TemporarilyUnavailableError(fact.reason)
        owner = "" if isinstance(target.bucket, Unresolved) else target.bucket.owner or ""
        return _Assessed(facts, cluster, key_for(violation, target), compliant=False, owner=owner)

    def _of_cluster(
        self,
        cluster_id: str,
        assessed: Sequence[_Assessed],
        policy: Policy,
        pool: ThreadPoolExecutor,
    ) -> list[ObjectVersion]:
        """Re-encrypt the objects of one cluster, and record the results.

        Returns:
            The requests to be delivered again.

        """
        results = defaultdict[str, _Results](_Results)
        self._open(cluster_id, assessed, policy)
        self._recover(cluster_id, assessed, results)
        chosen: dict[ObjectVersion, _Chosen] = {}
        for each in assessed:
            match each.decision:
                case Refuse(rule_id=rule_id, cause=cause):
                    results[rule_id].failed[each.version] = cause
                case Reencrypt() as decision:
                    chosen[each.version] = _Chosen(each, decision)
                case Leave():
                    pass
        mine, held = self._begin(cluster_id, chosen, results)
        again = [each.version for each in assessed if each.version in held]
        mine = self._within_budget(mine, policy, results)
        for one, outcome in zip(
            mine, bounded_map(mine, self._reencrypted, pool, len(mine) or 1), strict=True
        ):
            found = results[one.decision.rule_id]
            if isinstance(outcome, Reencrypt):
                found.done[one.version] = outcome.key_arn
                continue
            found.failed[one.version] = outcome.cause
            if outcome.unknown:
                found.unknown.add(one.version)
            if outcome.cause is None:
                again.append(one.version)
        self._record(cluster_id, assessed, results, policy)
        record_reencrypted(
            cluster_id,
            sum(len(each.done) for each in results.values()),
            Counter(cause for each in results.values() for cause in each.failed.values() if cause),
            temporary=len(again),
        )
        return again

    def _open(self, cluster_id: str, assessed: Sequence[_Assessed], policy: Policy) -> None:
        """Record the violations whose finding is not open: usually the check did that already."""
        records = self.repository.read(cluster_id).records
        unknown = [
            each
            for each in assessed
            if not isinstance(each.decision, Leave)
            and not ((record := records.get(each.decision.rule_id)) and record.open)
        ]
        if not unknown:
            return
        cluster = unknown[0].cluster
        context = EvaluationContext(policy, self.clock(), self.runbook)
        facts = list({each.version: each.facts for each in unknown}.values())
        found = evaluate_log_objects(Subject.of(cluster), facts, context, named=len(facts))
        broken = [each for each in found if each.finding.compliance is Compliance.NON_COMPLIANT]
        recorded = self.recorder.record(
            CheckResult(cluster_id, cluster, broken), policy, None, decide=plan_alerts
        )
        self.dispatcher.dispatch(recorded)

    def _recover(
        self, cluster_id: str, assessed: Sequence[_Assessed], results: Mapping[str, _Results]
    ) -> None:
        """Count what an invocation re-encrypted that died before it recorded that."""
        if not any(isinstance(each.decision, Leave) for each in assessed):
            return
        for rule_id, record in self.repository.read(cluster_id).records.items():
            for each in assessed:
                key = each.facts.encryption
                if (
                    isinstance(each.decision, Leave)
                    and isinstance(key, Encryption)
                    and key.key_identifier
                    and unrecorded(record.reencryption, each.version, key.key_identifier)
                ):
                    results[rule_id].done[each.version] = key.key_identifier

    def _begin(
        self,
        cluster_id: str,
        chosen: Mapping[ObjectVersion, _Chosen],
        results: Mapping[str, _Results],
    ) -> tuple[list[_Chosen], frozenset[ObjectVersion]]:
        """Record the attempts that begin now.

        Returns:
            The objects to re-encrypt, and those that another invocation is re-encrypting.

        """
        if not chosen:
            return [], frozenset()
        owner, now = uuid4().hex, self.clock()
        mine, held = list[_Chosen](), frozenset[ObjectVersion]()
        records = self.repository.read(cluster_id).records
        for rule_id in sorted({each.decision.rule_id for each in chosen.values()}):
            wanted = {
                version: each.decision
                for version, each in chosen.items()
                if each.decision.rule_id == rule_id
            }
            begun = begin(records[rule_id].reencryption, wanted, owner, now)

            def change(
                record: FindingRecord, wanted: Mapping[ObjectVersion, Reencrypt] = wanted
            ) -> FindingRecord:
                nonlocal begun
                begun = begin(record.reencryption, wanted, owner, now)
                return replace(record, reencryption=begun.state)

            update_record(self.repository, records[rule_id], change)
            mine += (chosen[version] for version in wanted if version in begun.mine)
            held |= begun.held
            results[rule_id].failed |= dict.fromkeys(begun.exhausted, _EXHAUSTED)
        return mine, held

    def _within_budget(
        self, mine: list[_Chosen], policy: Policy, results: Mapping[str, _Results]
    ) -> list[_Chosen]:
        """Keep to the hour's budget; what exceeds it is requested again for the next hour."""
        most, now = policy.reencryption.max_objects_per_hour, self.clock()
        granted = self.budget.take(len(mine), most, now) if mine else 0
        postponed = mine[granted:]
        if postponed:
            seconds = 3600 - (now.minute * 60 + now.second)
            self.queue.send([each.version for each in postponed], min(seconds, _LONGEST_DELAY))
            cause = (
                f"reencryption.max_objects_per_hour ({most}) is reached: the rest follows in the "
                "next hour; raise it if that is too late"
            )
            for each in postponed:
                results[each.decision.rule_id].failed[each.version] = None
                results[each.decision.rule_id].postponed = cause
        return mine[:granted]

    def _reencrypted(self, each: _Chosen) -> Reencrypt | _Failed:
        """Re-encrypt one object and read it again.

        Returns:
            The decision if the object has its new key, else why not.

        """
        exact, owner = each.assessed.exact, each.assessed.owner
        try:
            self.objects.reencrypt(
                exact, each.decision.key_arn, owner, bucket_key=each.assessed.bucket_key
            )
            now = self.objects.encryption(exact, owner)
        except ObjectNotFoundError:
            return _Failed(None)
        except ReencryptionRefusedError as error:
            return _Failed(str(error))
        except TemporarilyUnavailableError as error:
            logger.warning("object not re-encrypted", object=str(exact), reason=str(error))
            return _Failed(None, unknown=True)
        except Exception:  # any error: the message is redelivered, then dead-lettered
            logger.exception("object not re-encrypted", object=str(exact))
            record_failed_messages()
            return _Failed(None, unknown=True)
        if isinstance(now, Unresolved):
            return _Failed(None if now.transient else now.reason, unknown=True)
        carried = now.key_identifier if now.algorithm == "aws:kms" else None
        if carried is None or not same_key(carried, each.decision.key_arn):
            return _Failed(_UNCHANGED)
        return each.decision

    def _record(
        self,
        cluster_id: str,
        assessed: Sequence[_Assessed],
        results: Mapping[str, _Results],
        policy: Policy,
    ) -> None:
        """Record the results, even if the policy has changed since, and notify.

        So is which objects comply by now, without this function: a finding does not wait for them.
        """
        records = self.repository.read(cluster_id).records
        now = self.clock()
        compliant = frozenset(each.version for each in assessed if each.compliant)
        found = [
            RuleResult(
                records[rule_id].finding,
                Kind.LOG_OBJECTS,
                now,
                reencryption=ReencryptionResult(
                    each.done, each.failed, each.postponed, frozenset(each.unknown)
                ),
            )
            for rule_id, each in results.items()
            if rule_id in records
        ]
        found += [
            RuleResult(
                replace(record.finding, compliance=Compliance.COMPLIANT),
                Kind.LOG_OBJECTS,
                now,
                cleared=compliant,
            )
            for record in records.values()
            if record.open and not compliant.isdisjoint(record.objects)
        ]
        if not found:
            return
        result = CheckResult(cluster_id, assessed[0].cluster, found)
        try:
            recorded = self.recorder.record(result, policy, None, decide=plan_alerts)
        except StalePolicyError:
            policy = self.policy(force_refresh=True)
            recorded = self.recorder.record(result, policy, None, decide=plan_alerts)
        self.dispatcher.dispatch(recorded)
