"""Gathering: all that the log-object rules judge by."""

from dataclasses import dataclass

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.keys import KeyFact, KmsKey
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts, ObjectVersion
from emr_log_guard.domain.log_uri import LogLocation, cluster_ids_in
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import ClusterNotFoundError
from emr_log_guard.usecases.ports import Clusters, Keys, LogObjects


@dataclass(frozen=True, slots=True)
class ReadLogObject:
    """Reads whose log an object is, and what it and its cluster are encrypted with."""

    clusters: Clusters
    objects: LogObjects
    keys: Keys

    def __call__(self, version: ObjectVersion) -> LogObjectFacts | None:
        """Read an object's facts; None when it is provably no cluster's log.

        A key that names a cluster which EMR does not know here may be the log of a cluster of
        another account or Region, or of one long gone: it is judged by its encryption, and its
        cluster is Unresolved.

        Raises:
            ObjectNotFoundError: The object is gone.

        """
        owner = self._owner(version)
        if owner is None:
            return None
        cluster_id, cluster = owner
        cluster_key = self._cluster_key(cluster)
        encryption = self.objects.encryption(version)
        return LogObjectFacts(
            version=version,
            cluster_id=cluster_id,
            encryption=encryption,
            object_key=self._object_key(encryption, cluster_key),
            cluster=cluster,
            cluster_key=cluster_key,
        )

    def _owner(self, version: ObjectVersion) -> tuple[str, Cluster | Unresolved] | None:
        unknown: tuple[str, Unresolved] | None = None
        for cluster_id in cluster_ids_in(version.key):
            try:
                cluster = self.clusters.describe(cluster_id)
            except ClusterNotFoundError as error:
                unknown = unknown or (
                    cluster_id,
                    Unresolved(f"elasticmapreduce:DescribeCluster answered: {error}"),
                )
                continue
            if cluster.log_uri is None:
                continue
            location = LogLocation.parse(cluster.log_uri)
            if location is None:
                reason = f"the log URI {cluster.log_uri!r} of {cluster_id} cannot be read"
                return cluster_id, Unresolved(reason)
            if location.holds(cluster_id, version.bucket, version.key):
                return cluster_id, cluster
        return unknown

    def _cluster_key(self, cluster: Cluster | Unresolved) -> KeyFact | None:
        if isinstance(cluster, Unresolved):
            return cluster
        identifier = cluster.log_key_identifier
        return self.keys.describe(identifier) if identifier else None

    def _object_key(
        self, encryption: Encryption | Unresolved, cluster_key: KeyFact | None
    ) -> KeyFact | None:
        """Read the object's key, unless it is plainly its cluster's."""
        if isinstance(encryption, Unresolved) or encryption.key_identifier is None:
            return None
        identifier = encryption.key_identifier
        if isinstance(cluster_key, KmsKey) and cluster_key.arn == identifier:
            return cluster_key
        return self.keys.describe(identifier)
