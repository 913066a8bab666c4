"""A shard of log objects: listed in S3's order, read by many threads, evaluated as they come."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from time import monotonic

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.decide import reencrypted_rules
from emr_log_guard.domain.finding_record import OBJECTS, Extent, RuleResult
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts, ObjectVersion
from emr_log_guard.domain.log_uri import LogLocation, is_checked
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.reencryption import (
    Leave,
    Reencrypt,
    Refuse,
    Remediable,
    key_for,
    violation_of,
)
from emr_log_guard.domain.reencryption_plan import PlanTally
from emr_log_guard.domain.rescan import BadObjects, Folder, Rescan, Shard, ShardDone
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    AccessDeniedError,
    ClusterNotFoundError,
    NotReadableError,
    ObjectNotFoundError,
)
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.audit.scope import OBJECT_THREADS
from emr_log_guard.usecases.bounded_map import bounded_map
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject, TheCluster
from emr_log_guard.usecases.evaluate import evaluate_log_objects
from emr_log_guard.usecases.ports import (
    ApprovedTargets,
    BucketOwners,
    ClusterHistories,
    Clusters,
    FindingRepository,
    Keys,
    PolicyProvider,
    ReencryptionQueue,
    Steps,
)
from emr_log_guard.usecases.rescan.ports import ListedObject, LogFolders
from emr_log_guard.usecases.rescan.record import RecordLogObjects

SECONDS = 600
"""How long one invocation works before it leaves the rest to the next."""

REQUESTS = 10_000
"""For how many objects one invocation requests re-encryption, before it leaves the rest."""


class _NotEvaluated(Enum):
    """Why a listed object is not evaluated."""

    DELETED = auto()
    """Since it was listed."""
    OTHER = auto()
    """It is no log of the folder's cluster."""


type WriteLine = Callable[[object], None]


@dataclass(frozen=True, slots=True)
class RequestReencryption:
    """Requests the re-encryption of log objects, after they are recorded as non-compliant.

    In this order, so that `reencrypt` counts down what is left.
    """

    repository: FindingRepository
    record: RecordLogObjects
    queue: ReencryptionQueue

    def counts(self, cluster_id: str) -> Mapping[str, int]:
        """Return how many objects of a cluster were re-encrypted so far, by rule."""
        records = self.repository.read(cluster_id).records
        return {rule_id: record.reencryption.count for rule_id, record in records.items()}

    def __call__(
        self,
        cluster_id: str,
        results: Iterable[RuleResult],
        versions: Iterable[ObjectVersion],
        policy: Policy,
    ) -> None:
        """Record the results, of which some may have been counted before; then request."""
        again = [replace(each, extent=Extent.AGAIN) for each in results]
        self.record(cluster_id, again, policy, self.repository.read(cluster_id))
        self.queue.send(versions)


@dataclass(frozen=True, slots=True)
class ScanLogObjects:
    """Reads log objects. FinishRescan records the results of all shards.

    Changes nothing, except in a re-scan that re-encrypts: it requests that.
    """

    folders: LogFolders
    clusters: Clusters
    keys: Keys
    steps: Steps
    buckets: BucketOwners
    """Only used for a dry run, which determines the new keys."""
    policy: PolicyProvider
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]
    histories: ClusterHistories | None = None
    approved_targets: ApprovedTargets | None = None
    checked_buckets: tuple[str, ...] = ()
    """The buckets whose objects are checked; empty: all."""
    reencryption: RequestReencryption | None = None
    """None in a stack that may not re-encrypt log objects."""
    threads: int = OBJECT_THREADS
    seconds: float = SECONDS
    timer: Callable[[], float] = monotonic

    def __call__(
        self, rescan: Rescan, shard: Shard, folder: Folder, after: str, write_line: WriteLine
    ) -> ShardDone:
        """Evaluate the objects of a shard, or the rest of it.

        Write a line for each non-compliant or undetermined one.

        If S3 denies the listing, the objects listed so far are evaluated, and the rest is denied.

        Raises:
            NotReadableError: They cannot be listed, but a retry may help.

        """
        cluster = self._cluster(folder.cluster_id)
        folder = _placed(folder, cluster)
        if folder.bucket is None or not is_checked(folder.bucket, self.checked_buckets):
            return ShardDone(shard=shard.id)
        # What was just enabled is requested: the plan has read the same.
        policy = self.policy(force_refresh=rescan.reencrypt)
        owner = cluster.bucket_owner(policy.log_bucket_owners) if cluster else None
        listing = _Listing(replace(folder, after=after or folder.after), owner)
        remediated, before = frozenset[str](), dict[str, int]()
        request = self.reencryption if rescan.reencrypt else None
        if request is not None and cluster is not None:
            remediated = reencrypted_rules(cluster, policy, self.clock())
            before |= request.counts(cluster.id)
        read = ReadLogObject(
            TheCluster(folder.cluster_id, cluster),
            self.folders,
            self.keys,
            self.steps,
            self.histories,
            self.approved_targets,
        ).under(policy)
        buckets = self.buckets if rescan.dry_run else None
        objects = _Objects(folder.cluster_id, read, remediated, write_line, buckets)
        found = self._found(listing, objects.to_reencrypt, deep=rescan.deep)
        here = Arn.of(rescan.execution)
        with ThreadPoolExecutor(self.threads, "object") as pool:
            results = evaluate_log_objects(
                Subject.of_logs(folder.cluster_id, cluster, here.account, here.region),
                objects.logs(bounded_map(found, objects.read, pool, 2 * self.threads)),
                EvaluationContext(policy, self.clock(), self.runbook),
                named=OBJECTS,
                note=objects.note,
            )
        if not rescan.dry_run:
            results = tuple(_counted(each, remediated, before) for each in results)
        if request is not None and objects.to_reencrypt and not rescan.dry_run:
            request(
                folder.cluster_id,
                (each for each in results if each.reencrypted_before is not None),
                objects.to_reencrypt,
                policy,
            )
        return ShardDone(
            shard=shard.id,
            folder=replace(folder, after=after or folder.after),
            listed=listing.count,
            log_objects=objects.counts,
            bad=tuple(
                BadObjects(each.finding, each.bad, each.newest, each.reencrypted_before)
                for each in results
                if each.finding.needs_attention
            ),
            to_reencrypt=len(objects.to_reencrypt),
            plan=objects.tally.plan if rescan.dry_run else None,
            denied=listing.denied,
            next_after=listing.next_after,
        )

    def _cluster(self, cluster_id: str) -> Cluster | None:
        try:
            return self.clusters.describe(cluster_id)
        except ClusterNotFoundError:
            return None

    def _found(
        self,
        listing: "_Listing",
        to_reencrypt: Sequence[ObjectVersion],
        *,
        deep: bool,
    ) -> Iterator[ListedObject]:
        """List the objects to read; stop between two keys when the time or the requests are up."""
        begun, folder = self.timer(), listing.folder
        try:
            for listed in self.folders.within(folder, versions=deep, owner=listing.owner):
                key = listed.version.key
                if listing.key not in ("", key) and (
                    self.timer() - begun > self.seconds or len(to_reencrypt) >= REQUESTS
                ):
                    listing.next_after = listing.key
                    return
                listing.key = key
                listing.count += 1
                if folder.since is None or listed.modified >= folder.since:
                    yield listed
        except AccessDeniedError as error:
            listing.denied = str(error)


def _counted(
    result: RuleResult, remediated: Collection[str], before: Mapping[str, int]
) -> RuleResult:
    """Add how many objects were re-encrypted before, to a violation that is re-encrypted."""
    finding = result.finding
    if finding.compliance is not Compliance.NON_COMPLIANT or finding.rule_id not in remediated:
        return result
    return replace(result, reencrypted_before=before.get(finding.rule_id, 0))


@dataclass(slots=True)
class _Listing:
    """The progress of listing a folder."""

    folder: Folder
    owner: str | None
    """The account that must own its bucket; None when there are several."""
    key: str = ""
    count: int = 0
    denied: str = ""
    next_after: str = ""


@dataclass(slots=True)
class _Objects:
    """Reads the objects of a shard, and counts them."""

    cluster_id: str
    reader: ReadLogObject
    remediated: Collection[str]
    """The rules whose violations are re-encrypted."""
    write_line: WriteLine
    buckets: BucketOwners | None
    """None except in a dry run, which determines the new keys."""
    counts: Counter[str] = field(default_factory=Counter)
    to_reencrypt: list[ObjectVersion] = field(default_factory=list)
    tally: PlanTally = field(default_factory=PlanTally)

    def read(self, listed: ListedObject) -> LogObjectFacts | _NotEvaluated:
        """Read an object. Thread-safe."""
        try:
            facts = self.reader(listed.version)
        except ObjectNotFoundError:
            return _NotEvaluated.DELETED
        if facts is None or facts.cluster_id != self.cluster_id:
            return _NotEvaluated.OTHER
        return _dated(facts, listed.modified)

    def logs(self, found: Iterable[LogObjectFacts | _NotEvaluated]) -> Iterator[LogObjectFacts]:
        """Return the logs of the cluster."""
        for each in found:
            if isinstance(each, LogObjectFacts):
                yield each
            elif each is _NotEvaluated.OTHER:
                self.tally.unknown += 1

    def note(self, facts: LogObjectFacts, outcomes: Mapping[str, Compliance]) -> None:
        """Count an evaluated object, and write a line if it needs attention."""
        worst = overall(outcomes.values())
        self.counts[worst] += 1
        if any(outcomes.get(each) is Compliance.NON_COMPLIANT for each in self.remediated):
            self.to_reencrypt.append(facts.version)
        if worst.needs_attention:
            self.write_line(_line(facts, outcomes, worst))
        if self.buckets is not None:
            self.tally.add(facts, self._decision(facts, outcomes, self.buckets))

    def _decision(
        self, facts: LogObjectFacts, outcomes: Mapping[str, Compliance], buckets: BucketOwners
    ) -> Reencrypt | Leave | Refuse:
        """Decide what `reencrypt` would do with an object, with the same facts."""
        violation = violation_of(facts, outcomes, self.remediated)
        if not isinstance(violation, Remediable):
            return violation
        return key_for(violation, self.reader.target(facts.version, violation.cluster, buckets))


def _line(
    facts: LogObjectFacts, outcomes: Mapping[str, Compliance], worst: Compliance
) -> dict[str, object]:
    """Return the line of a log object that needs attention."""
    known = facts.encryption if isinstance(facts.encryption, Encryption) else None
    return {
        "cluster_id": facts.cluster_id,
        "bucket": facts.version.bucket,
        "key": facts.version.key,
        "version_id": facts.version.version_id,
        "compliance": worst,
        "encryption": known.algorithm if known else None,
        "kms_key": known.key_identifier if known else None,
        "unread": facts.encryption.reason if isinstance(facts.encryption, Unresolved) else None,
        "rules": outcomes,
    }


def _dated(facts: LogObjectFacts, modified: datetime) -> LogObjectFacts:
    """Add the time when an object was written, from the listing."""
    known = facts.encryption
    if not isinstance(known, Encryption):
        return facts
    return replace(facts, encryption=replace(known, written_at=modified))


def _placed(folder: Folder, cluster: Cluster | None) -> Folder:
    """Add where a cluster logs to, if the planner did not know."""
    if folder.bucket is not None or cluster is None or cluster.log_uri is None:
        return folder
    location = LogLocation.parse(cluster.log_uri)
    if location is None:
        message = f"the log URI {cluster.log_uri!r} of {cluster.id} is not an S3 URI"
        raise NotReadableError(message)
    return replace(folder, bucket=location.bucket, prefix=f"{location.prefix}{cluster.id}/")
