"""An account of an audit: its adapters, and only the clients that the rules need."""

from dataclasses import dataclass, field
from threading import Lock

from emr_log_guard.adapters.cache import (
    WHOLE_RUN,
    CachedBuckets,
    CachedKeys,
    CachedRoles,
    CachedSteps,
)
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.errors import AWS_ERRORS, unresolved
from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.s3 import AuditedLogObjects, S3Buckets
from emr_log_guard.adapters.sessions import AuditSession
from emr_log_guard.domain.arn import Arn
from emr_log_guard.errors import NotReadableError
from emr_log_guard.rules import emrlog_007_roles_can_use_log_key as roles_can_use_key
from emr_log_guard.rules import emrlog_013_log_bucket_owned as bucket_owned
from emr_log_guard.usecases.audit.region import RegionAccess
from emr_log_guard.usecases.audit.scope import AuditScope
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts


@dataclass(slots=True)
class AuditedAccount:
    """The account of a session."""

    session: AuditSession
    scope: AuditScope
    _known_roles: CachedRoles | None = None
    _lock: Lock = field(default_factory=Lock)

    def account_id(self) -> str | None:
        """Return the account id: from the role, or by one GetCallerIdentity.

        That call needs no permission; None when it fails nevertheless.
        """
        role = self.session.role_arn
        if role is not None:
            return Arn.of(role).account
        try:
            return self.session.sts().get_caller_identity()["Account"]
        except AWS_ERRORS:
            return None

    def enabled_regions(self) -> tuple[str, ...]:
        """Return the enabled Regions of the account: one DescribeRegions.

        Raises:
            NotReadableError: They cannot be read.

        """
        try:
            regions = self.session.ec2().describe_regions()["Regions"]
        except AWS_ERRORS as error:
            problem = unresolved("ec2:DescribeRegions", "the account", error)
            raise NotReadableError(problem.reason) from error
        return tuple(sorted(region["RegionName"] for region in regions))

    def place(self, region: str) -> RegionAccess:
        """Return the access to a Region.

        Raises:
            NotReadableError: There can be no client for it, for example for a misspelt Region.

        """
        try:
            return self._place(region)
        except AWS_ERRORS as error:
            message = f"a client cannot be made: {error}"
            raise NotReadableError(message) from error

    def _place(self, region: str) -> RegionAccess:
        session, scope = self.session, self.scope
        clusters = EmrClusters(session.emr(region))
        return RegionAccess(
            clusters,
            ReadClusterFacts(
                keys=CachedKeys(KmsKeys(session.kms(region)), retention=WHOLE_RUN),
                roles=self._roles() if roles_can_use_key.RULE.id in scope.rule_ids else None,
                workloads=clusters,
                bucket_owners=CachedBuckets(S3Buckets(session.s3(region)), retention=WHOLE_RUN)
                if bucket_owned.RULE.id in scope.rule_ids
                else None,
            ),
            AuditedLogObjects(session.s3(region)) if scope.object_rules else None,
            CachedSteps(clusters, retention=WHOLE_RUN),
        )

    def _roles(self) -> CachedRoles:
        """Return the account's roles, cached for all Regions: IAM is global."""
        with self._lock:
            if self._known_roles is None:
                iam = self.session.iam()
                self._known_roles = CachedRoles(IamRoles(iam), retention=WHOLE_RUN)
            return self._known_roles
