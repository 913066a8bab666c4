"""Gather: the facts for the log-object rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster, Step
from emr_log_guard.domain.findings import Outcome
from emr_log_guard.domain.keys import KeyFact, KeyIdentifier, KmsKey, same_key
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts, ObjectVersion
from emr_log_guard.domain.log_uri import (
    LogLocation,
    cluster_ids_in,
    is_folder_marker,
    step_id_in,
    why_bucket_is_unknown,
)
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.reencryption import Target
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import ClusterNotFoundError
from emr_log_guard.rules import emrlog_103_log_object_cluster_key as cluster_key_carried
from emr_log_guard.usecases.approved_keys import ReadApprovedKeys
from emr_log_guard.usecases.ports import (
    ApprovedTargets,
    BucketOwners,
    ClusterHistories,
    Clusters,
    Keys,
    LogObjects,
    Steps,
)

_NODES = "node/"
"""The folder of what the nodes' daemons log, below a cluster's.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-manage-view-web-log-files.html
"""


@dataclass(frozen=True, slots=True)
class ReadLogObject:
    """Reads the cluster of a log object, its encryption, and its expected key."""

    clusters: Clusters
    objects: LogObjects
    keys: Keys
    steps: Steps
    """Only used for an object that its cluster's own settings do not explain."""
    histories: ClusterHistories | None = None
    """Only used for an object with another key than its alias; None when records are not stored."""
    approved_targets: ApprovedTargets | None = None
    """None when approved targets are not stored."""
    approved_keys: tuple[str, ...] = ()
    other_owners: tuple[str, ...] = ()
    """Accounts that may own log buckets, besides a cluster's own."""
    default_key: str | None = None
    """The key that the policy has logs re-encrypted with; None when it names none."""

    def under(self, policy: Policy) -> Self:
        """Return a reader for a policy."""
        return replace(
            self,
            approved_keys=policy.approved_keys,
            other_owners=policy.log_bucket_owners,
            default_key=policy.reencryption.default_key,
        )

    def __call__(self, version: ObjectVersion) -> LogObjectFacts | None:
        """Read an object's facts; None when it is not a cluster's log, or a folder marker.

        An object whose key names a cluster that EMR does not know here may be the log of a cluster
        of another account or Region, or of an old one: its encryption is evaluated, and its cluster
        is Unresolved. If only a step could explain an object, and the steps cannot be listed, its
        encryption is Unresolved. So is that of an object whose key names a cluster that logs
        through an access point, or with a URI that cannot be parsed: its bucket may be the one
        that the URI means.

        Raises:
            ObjectNotFoundError: The object does not exist.

        """
        author = None if is_folder_marker(version.key) else self._author(version)
        if author is None:
            return None
        cluster_id, cluster, unknown = author
        if unknown is not None:
            reason = f"whether {version} is a log is unknown: {unknown.reason}"
            return LogObjectFacts(version, cluster_id, Unresolved(reason), None, cluster, None)
        if isinstance(cluster, Unresolved):
            expected: KeyFact | None = cluster
            encryption = self.objects.encryption(version)
        else:
            expected = self._key(cluster)
            owner = cluster.bucket_owner(self.other_owners)
            encryption = self.objects.encryption(version, owner)
        facts = LogObjectFacts(
            version=version,
            cluster_id=cluster_id,
            encryption=encryption,
            object_key=self._object_key(encryption, expected),
            cluster=cluster,
            expected_key=expected,
            default_key=self.default_key,
        )
        if isinstance(cluster, Unresolved):
            return facts
        return self._listed(self._explained(facts, cluster), cluster)

    def _author(
        self, version: ObjectVersion
    ) -> tuple[str, Cluster | Unresolved, Unresolved | None] | None:
        """Return the cluster, and why it is unknown whether the object is a log of it."""
        unknown: tuple[str, Cluster | Unresolved, Unresolved | None] | None = None
        for cluster_id in cluster_ids_in(version.key):
            try:
                cluster = self.clusters.describe(cluster_id)
            except ClusterNotFoundError as error:
                reason = f"elasticmapreduce:DescribeCluster answered: {error}"
                unknown = unknown or (cluster_id, Unresolved(reason), None)
                continue
            if _path(version, cluster, cluster.log_uri) is not None:
                return cluster_id, cluster, None
            steps = self.steps.log_writers(cluster_id)
            if isinstance(steps, Unresolved):
                unknown = (cluster_id, cluster, steps)
            elif any(_path(version, cluster, step.log_uri) is not None for step in steps):
                return cluster_id, cluster, None
            elif why := _why_it_may_be_a_log(cluster, steps):
                unknown = (cluster_id, cluster, Unresolved(why))
        return unknown

    def _explained(self, facts: LogObjectFacts, cluster: Cluster) -> LogObjectFacts:
        """Find the expected key of the object, unless it has its cluster's key or none."""
        carried = cluster_key_carried.carried_key(facts)
        path = _path(facts.version, cluster, cluster.log_uri)
        if isinstance(carried, Outcome) or (
            path is not None
            and isinstance(facts.expected_key, KmsKey)
            and same_key(facts.expected_key.arn, carried)
        ):
            return facts
        if self.default_key is not None and same_key(self.default_key, carried):
            return facts  # re-encrypted, regardless of its writer
        steps = self.steps.log_writers(cluster.id)
        if isinstance(steps, Unresolved):
            return replace(facts, expected_key=steps)
        authors = _authors(facts.version, cluster, steps)
        keys = [(self._key(cluster, author), author) for author in authors]
        for key, author in keys:
            if isinstance(key, KmsKey) and same_key(key.arn, carried):
                return _expecting(facts, key, author)
        # No match: an undetermined key, or a writer without a key, may explain the object.
        for key, author in sorted(keys, key=lambda named: not isinstance(named[0], Unresolved)):
            if not isinstance(key, KmsKey):
                return _expecting(facts, key, author)
        former = self._former_keys(cluster, authors)
        if any(same_key(carried, each) for each in former):
            return replace(_expecting(facts, *keys[0]), former_keys=former)
        if cluster.sessions_enabled and path is not None and _may_be_anyones(path):
            reason = (
                f"{facts.version} may be the log of a session: the location of these is unknown"
            )
            return replace(facts, expected_key=Unresolved(reason))
        return _expecting(facts, *keys[0])

    def _listed(self, facts: LogObjectFacts, cluster: Cluster) -> LogObjectFacts:
        """Read the approved keys, if the object has a key to compare."""
        carried = cluster_key_carried.carried_key(facts)
        if isinstance(carried, Outcome):
            return facts
        read = ReadApprovedKeys(self.keys, self.approved_keys, self.approved_targets)
        return replace(facts, approved_keys=read(Arn.of(cluster.arn), (carried,)))

    def _former_keys(self, cluster: Cluster, authors: Sequence[Step | None]) -> tuple[str, ...]:
        """Return the recorded keys of the cluster, if an alias may have been moved."""
        named = {_key_identifier(cluster, author) for author in authors}
        if self.histories is None or not any(
            identifier and KeyIdentifier.parse(identifier).is_alias for identifier in named
        ):
            return ()
        known = self.histories.read(cluster.id).known
        return known.keys if known else ()

    def target(self, version: ObjectVersion, cluster: Cluster, buckets: BucketOwners) -> Target:
        """Read the keys that a log object may be re-encrypted with, and who owns its bucket."""
        owners = tuple(dict.fromkeys((cluster.account, *self.other_owners)))
        named = self._named_key(version, cluster)
        default = self.keys.describe(self.default_key) if self.default_key else None
        used = [key.arn for key in (named, default) if isinstance(key, KmsKey)]
        approved = ReadApprovedKeys(self.keys, self.approved_keys, self.approved_targets)
        return Target(
            named,
            default,
            approved(Arn.of(cluster.arn), used),
            buckets.ownership(version.bucket, owners),
        )

    def _named_key(self, version: ObjectVersion, cluster: Cluster) -> KeyFact | None:
        """Read the key that a log object should have: its step's, else its cluster's.

        Unresolved when it may be of several steps that name different keys. The nodes' daemons log
        for the cluster, whose steps are not listed for their logs, which are most of all.
        """
        path = _path(version, cluster, cluster.log_uri)
        if path is not None and path.startswith(_NODES):
            return self._key(cluster)
        steps = self.steps.log_writers(cluster.id)
        if isinstance(steps, Unresolved):
            return steps
        authors = _authors(version, cluster, steps)
        if None in authors:
            return self._key(cluster)
        named = {_key_identifier(cluster, author): author for author in authors}
        if len(named) != 1:
            return Unresolved("steps with different log keys may have written it")
        return self._key(cluster, *named.values())

    def _key(self, cluster: Cluster, step: Step | None = None) -> KeyFact | None:
        """Read the key of a step, else of its cluster."""
        identifier = _key_identifier(cluster, step)
        return self.keys.describe(identifier) if identifier else None

    def _object_key(
        self, encryption: Encryption | Unresolved, expected: KeyFact | None
    ) -> KeyFact | None:
        """Read the object's key, unless it is its cluster's."""
        if isinstance(encryption, Unresolved) or encryption.key_identifier is None:
            return None
        identifier = encryption.key_identifier
        if isinstance(expected, KmsKey) and same_key(expected.arn, identifier):
            return expected
        return self.keys.describe(identifier)


@dataclass(frozen=True, slots=True)
class TheCluster:
    """The cluster whose folder is read; it was described already."""

    id: str
    cluster: Cluster | None
    """None when EMR does not know it here."""

    def describe(self, cluster_id: str) -> Cluster:
        """Return the cluster, or raise ClusterNotFoundError for any other."""
        if cluster_id != self.id or self.cluster is None:
            message = f"Cluster id '{cluster_id}' is not valid."
            raise ClusterNotFoundError(message)
        return self.cluster


def _path(version: ObjectVersion, cluster: Cluster, log_uri: str | None) -> str | None:
    """Return the path of an object in the cluster's folder of a log URI; None when elsewhere."""
    location = LogLocation.parse(log_uri) if log_uri else None
    if location is None or not location.holds(cluster.id, version.bucket, version.key):
        return None
    return location.path(cluster.id, version.key)


def _why_it_may_be_a_log(cluster: Cluster, steps: tuple[Step, ...]) -> str | None:
    """Return why a log URI of a cluster may mean any bucket; None when each names a bucket."""
    uris = (cluster.log_uri, *(step.log_uri for step in steps))
    reasons = (why_bucket_is_unknown(uri) for uri in uris if uri)
    return next(filter(None, reasons), None)


def _authors(
    version: ObjectVersion, cluster: Cluster, steps: tuple[Step, ...]
) -> list[Step | None]:
    """Return who may have written an object: steps with their own settings, or None: the cluster.

    A step's own folder identifies it, and the nodes' daemons log for the cluster. The paths of an
    application's containers do not identify the step.
    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-manage-view-web-log-files.html
    """
    at_cluster = _path(version, cluster, cluster.log_uri)
    here = {
        step: path
        for step in steps
        if (path := _path(version, cluster, step.log_uri or cluster.log_uri)) is not None
    }
    named = [step for step, path in here.items() if step_id_in(path) == step.id]
    if named:
        return [*named]
    if at_cluster is None:
        return [*here]
    return [None, *here] if _may_be_anyones(at_cluster) else [None]


def _key_identifier(cluster: Cluster, step: Step | None) -> str | None:
    return (step.log_key_identifier if step else None) or cluster.log_key_identifier


def _may_be_anyones(path: str) -> bool:
    return not path.startswith(_NODES) and step_id_in(path) is None


def _expecting(facts: LogObjectFacts, key: KeyFact | None, author: Step | None) -> LogObjectFacts:
    of = f"step {author.id}" if author else "cluster"
    return replace(facts, expected_key=key, expected_of=of)
