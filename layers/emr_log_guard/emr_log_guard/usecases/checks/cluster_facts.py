"""Gather: the facts for the cluster rules."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import (
    Cluster,
    ClusterFacts,
    LogBucket,
    PartlyListed,
    Session,
    Workload,
    WorkloadFacts,
)
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.iam_policy import KeyUse
from emr_log_guard.domain.key_access import RoleKeyAccess
from emr_log_guard.domain.key_policy import evaluate_key_policy
from emr_log_guard.domain.keys import ApprovedKey, KeyFact, KmsKey
from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules import emrlog_007_roles_can_use_log_key as roles_can_use_key
from emr_log_guard.rules import emrlog_008_steps_keep_the_cluster_key as steps_keep_key
from emr_log_guard.rules import emrlog_009_log_bucket_sends_events as bucket_sends_events
from emr_log_guard.rules import emrlog_010_cloudwatch_logs_customer_key as cloudwatch_key
from emr_log_guard.rules import emrlog_011_log_key_rotation_enabled as key_rotation
from emr_log_guard.rules import emrlog_012_no_service_retained_logs as retained_logs
from emr_log_guard.rules import emrlog_013_log_bucket_owned as bucket_owned
from emr_log_guard.usecases.approved_keys import ReadApprovedKeys
from emr_log_guard.usecases.ports import (
    ApprovedTargets,
    BucketOwners,
    Buckets,
    Keys,
    Roles,
    Workloads,
)

_ABOUT_STEPS = frozenset(
    {steps_keep_key.RULE.id, bucket_sends_events.RULE.id, bucket_owned.RULE.id}
)
_ABOUT_SESSIONS = frozenset({cloudwatch_key.RULE.id, retained_logs.RULE.id})
"""The rules about steps cover sessions, too."""


@dataclass(frozen=True, slots=True)
class ReadClusterFacts:
    """Reads the facts that the rules need, and no others."""

    keys: Keys
    approved_keys: tuple[str, ...] = ()
    roles: Roles | None = None
    """None when no rule needs the roles' permissions."""
    workloads: Workloads | None = None
    """None when no rule needs steps or sessions."""
    buckets: Buckets | None = None
    """None when the rule about the events of log buckets is disabled."""
    checked_buckets: tuple[str, ...] = ()
    """The buckets whose objects are checked; empty: all that send events."""
    approved_targets: ApprovedTargets | None = None
    """None when approved targets are not stored."""
    rotation: bool = False
    """Whether a rule needs the log key's rotation."""
    steps: bool = True
    """Whether a rule needs the steps, not only the sessions."""
    bucket_owners: BucketOwners | None = None
    """None when no rule needs the owners of log buckets."""
    other_owners: tuple[str, ...] = ()
    """Accounts that may own log buckets, besides the cluster's own."""

    def under(self, policy: Policy, rule_ids: Iterable[str]) -> Self:
        """Return a reader for a policy, limited to what these rules need."""
        needed = frozenset(rule_ids)
        return replace(
            self,
            approved_keys=policy.approved_keys,
            roles=self.roles if roles_can_use_key.RULE.id in needed else None,
            workloads=self.workloads if needed & (_ABOUT_STEPS | _ABOUT_SESSIONS) else None,
            steps=bool(needed & _ABOUT_STEPS),
            buckets=self.buckets if bucket_sends_events.RULE.id in needed else None,
            rotation=key_rotation.RULE.id in needed,
            bucket_owners=self.bucket_owners if bucket_owned.RULE.id in needed else None,
            other_owners=policy.log_bucket_owners,
        )

    def __call__(self, cluster: Cluster) -> ClusterFacts:
        """Read the keys, workloads, log buckets, and each role's access to the log key."""
        key = self.log_key(cluster)
        facts = ClusterFacts(
            cluster,
            key,
            cloudwatch_key=self._cloudwatch_key(cluster),
        )
        facts = self._workloads(facts)
        facts = replace(facts, approved_keys=self._approved(facts))
        facts = replace(facts, log_buckets=tuple(self._log_buckets(facts)))
        rotatable = key_rotation.rotatable_key(facts) if self.rotation else None
        if isinstance(rotatable, KmsKey):
            facts = replace(facts, key_rotation=self.keys.rotation(rotatable))
        if (
            self.roles is None
            or not isinstance(key, KmsKey)
            or usable.can_encrypt(facts).compliance is not Compliance.COMPLIANT
        ):
            return facts
        access = (
            self._access(
                self.roles,
                key,
                "service role",
                self.roles.role_arn(cluster.service_role)
                if cluster.service_role
                else Unresolved("EMR names no service role"),
                "kms:DescribeKey",
            ),
            self._access(
                self.roles,
                key,
                "instance profile's role",
                self.roles.instance_profile_role_arn(cluster.instance_profile)
                if cluster.instance_profile
                else Unresolved("EMR names no instance profile"),
                "kms:GenerateDataKey",
            ),
        )
        return replace(facts, role_access=access)

    def log_key(self, cluster: Cluster) -> KeyFact | None:
        """Read the key that a cluster names; None when it names none."""
        identifier = cluster.log_key_identifier
        return self.keys.describe(identifier) if identifier else None

    def _workloads(self, facts: ClusterFacts) -> ClusterFacts:
        """Read the steps, the sessions if there may be any, and each of their keys once."""
        if self.workloads is None:
            return facts
        cluster = facts.cluster
        known = {cluster.log_key_identifier: facts.log_key, None: facts.log_key}
        if facts.cloudwatch_key is not None:
            known.setdefault(cluster.cloudwatch_key_identifier, facts.cloudwatch_key)

        def key(identifier: str | None) -> KeyFact | None:
            if identifier is not None and identifier not in known:
                known[identifier] = self.keys.describe(identifier)
            return known[identifier]

        def keyed(
            found: Sequence[Workload] | Unresolved,
        ) -> tuple[WorkloadFacts, ...] | Unresolved:
            if isinstance(found, Unresolved):
                return found
            return tuple(
                WorkloadFacts(each, key(each.log_key_identifier), key_in_cloudwatch(each))
                for each in found
            )

        def key_in_cloudwatch(each: Workload) -> KeyFact | None:
            """Read the key that a session names; it does not default to its cluster's."""
            if not isinstance(each, Session) or each.cloudwatch_key_identifier is None:
                return None
            return key(each.cloudwatch_key_identifier)

        steps = self.workloads.steps(cluster.id) if self.steps else ()
        if isinstance(steps, PartlyListed):
            facts = replace(facts, unread_steps=steps.unread)
            steps = steps.steps
        sessions = self.workloads.sessions(cluster.id) if cluster.sessions_enabled else ()
        return replace(facts, steps=keyed(steps), sessions=keyed(sessions))

    def _log_buckets(self, facts: ClusterFacts) -> Iterator[LogBucket]:
        """Read each log bucket once."""
        if self.buckets is None and self.bucket_owners is None:
            return
        owners = tuple(dict.fromkeys((facts.cluster.account, *self.other_owners)))
        locations = map(LogLocation.parse, facts.log_uris)
        names = (at.bucket for at in locations if at and not at.by_access_point)
        for name in dict.fromkeys(names):
            checked = not self.checked_buckets or name in self.checked_buckets
            yield LogBucket(
                name,
                self.buckets.sends_events(name) if self.buckets else None,
                checked,
                self.bucket_owners.ownership(name, owners) if self.bucket_owners else None,
            )

    def _cloudwatch_key(self, cluster: Cluster) -> KeyFact | None:
        identifier = cluster.cloudwatch_key_identifier
        return self.keys.describe(identifier) if cluster.cloudwatch_logs and identifier else None

    def _approved(self, facts: ClusterFacts) -> tuple[ApprovedKey, ...]:
        read = ReadApprovedKeys(self.keys, self.approved_keys, self.approved_targets)
        return read(Arn.of(facts.cluster.arn), facts.certain_key_arns)

    def _access(
        self, roles: Roles, key: KmsKey, title: str, role_arn: str | Unresolved, action: str
    ) -> RoleKeyAccess | Unresolved:
        if isinstance(role_arn, Unresolved):
            return role_arn
        policy = self.keys.policy(key.arn)
        return RoleKeyAccess(
            title=title,
            role_arn=role_arn,
            action=action,
            identity=roles.simulate(role_arn, action, key.arn),
            key_policy=policy
            if isinstance(policy, Unresolved)
            else evaluate_key_policy(policy, KeyUse(role_arn, action, key.arn)),
        )
