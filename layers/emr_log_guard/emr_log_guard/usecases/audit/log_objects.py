"""The log objects of one cluster: listed, read by many threads, evaluated as they come."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import LogObjectFacts, ObjectVersion
from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.errors import NotReadableError, ObjectNotFoundError
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.audit.scope import AuditScope
from emr_log_guard.usecases.bounded_map import bounded_map
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject, TheCluster
from emr_log_guard.usecases.evaluate import evaluate_log_objects
from emr_log_guard.usecases.ports import Keys, ListedLogObjects, Progress, Steps


@dataclass(frozen=True, slots=True)
class LogObjectsAudited:
    """The result for a cluster's log objects."""

    findings: tuple[Finding, ...] = ()
    count: int = 0
    unresolved: tuple[str, ...] = ()
    """Why they, or the rest of them, could not be listed."""
    listed: Mapping[str, int] = field(default_factory=dict)
    """How many were listed, by bucket, whether checked or not."""


@dataclass(frozen=True, slots=True)
class AuditLogObjects:
    """Audits log objects without holding all of them in memory: a prefix may have millions."""

    objects: ListedLogObjects
    keys: Keys
    steps: Steps
    scope: AuditScope
    pool: ThreadPoolExecutor
    progress: Progress

    def __call__(self, cluster: Cluster, context: EvaluationContext) -> LogObjectsAudited:
        """Evaluate the objects below the cluster's folder."""
        if cluster.log_uri is None:
            return LogObjectsAudited()
        location = LogLocation.parse(cluster.log_uri)
        if location is None:
            return LogObjectsAudited(
                unresolved=(f"the log URI {cluster.log_uri!r} is not an S3 URI",)
            )
        owner = cluster.bucket_owner(self.scope.policy.log_bucket_owners)
        unresolved: list[str] = []
        listed: Counter[str] = Counter()
        count = 0

        def below() -> Iterator[ObjectVersion]:
            folder = f"{location.prefix}{cluster.id}/"
            for version in self.objects.below(location.bucket, folder, self.scope.since, owner):
                listed[version.bucket] += 1
                yield version

        def facts() -> Iterator[LogObjectFacts]:
            nonlocal count
            read = ReadLogObject(
                TheCluster(cluster.id, cluster), self.objects, self.keys, self.steps
            ).under(self.scope.policy)
            try:
                for each in self._read(self._sampled(below()), read):
                    if each is not None:
                        count += 1
                        yield each
            except NotReadableError as error:
                unresolved.append(str(error))

        results = evaluate_log_objects(Subject.of(cluster), facts(), context)
        findings = tuple(result.finding for result in results)
        return LogObjectsAudited(findings, count, tuple(unresolved), listed)

    def _sampled(self, versions: Iterable[ObjectVersion]) -> Iterable[ObjectVersion]:
        """Choose a uniform random sample (Algorithm R)."""
        size = self.scope.sample
        if size is None:
            return versions
        listing = iter(versions)
        chosen = list(islice(listing, size))
        for number, version in enumerate(listing, start=size + 1):
            place = random.randrange(number)  # noqa: S311 - a sample, not a secret
            if place < size:
                chosen[place] = version
        return chosen

    def _read(
        self, versions: Iterable[ObjectVersion], read: ReadLogObject
    ) -> Iterator[LogObjectFacts | None]:
        """Read objects concurrently, and return them in their order."""

        def one(version: ObjectVersion) -> LogObjectFacts | None:
            try:
                return read(version)
            except ObjectNotFoundError:  # deleted since it was listed
                return None
            finally:
                self.progress.checked_object()

        return bounded_map(versions, one, self.pool, 2 * self.scope.object_threads)
