"""Gathering: all that the cluster rules judge by."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster, ClusterFacts, Step, StepFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.key_access import RoleKeyAccess
from emr_log_guard.domain.key_policy import KeyUse, evaluate_key_policy
from emr_log_guard.domain.keys import ApprovedKey, KeyFact, KmsKey
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules import emrlog_007_roles_can_use_log_key as roles_can_use_key
from emr_log_guard.rules import emrlog_008_steps_keep_the_cluster_key as steps_keep_key
from emr_log_guard.rules.rule import Rule
from emr_log_guard.usecases.ports import Keys, Roles, Steps


@dataclass(frozen=True, slots=True)
class ReadClusterFacts:
    """Reads what the rules need of a cluster, and nothing that a missing premise makes idle."""

    keys: Keys
    approved_keys: tuple[str, ...] = ()
    roles: Roles | None = None
    """None where no rule asks for the roles' rights."""
    steps: Steps | None = None
    """None where no rule asks for the steps."""

    def under(self, policy: Policy, rules: Iterable[Rule[ClusterFacts]]) -> Self:
        """Read for a policy, and only what these rules ask for."""
        asked = {rule.id for rule in rules}
        return replace(
            self,
            approved_keys=policy.approved_keys,
            roles=self.roles if roles_can_use_key.RULE.id in asked else None,
            steps=self.steps if steps_keep_key.RULE.id in asked else None,
        )

    def __call__(self, cluster: Cluster) -> ClusterFacts:
        """Read the keys, the approved keys, the steps, and each role's right to the log key."""
        key = self.log_key(cluster)
        facts = ClusterFacts(
            cluster,
            key,
            tuple(map(self._approved, self.approved_keys)),
            steps=self._steps(cluster, key),
            cloudwatch_key=self._cloudwatch_key(cluster),
        )
        if (
            self.roles is None
            or not isinstance(key, KmsKey)
            or usable.check(facts).compliance is not Compliance.COMPLIANT
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

    def _steps(
        self, cluster: Cluster, cluster_key: KeyFact | None
    ) -> tuple[StepFacts, ...] | Unresolved:
        """Read the steps, and each key that they name once."""
        found = self.steps.steps(cluster.id) if self.steps else ()
        if isinstance(found, Unresolved):
            return found
        known = {None: cluster_key, cluster.log_key_identifier: cluster_key}

        def key_of(step: Step) -> KeyFact | None:
            identifier = step.log_key_identifier
            if identifier is not None and identifier not in known:
                known[identifier] = self.keys.describe(identifier)
            return known[identifier]

        return tuple(StepFacts(step, key_of(step)) for step in found)

    def _cloudwatch_key(self, cluster: Cluster) -> KeyFact | None:
        identifier = cluster.cloudwatch_key_identifier
        return self.keys.describe(identifier) if cluster.cloudwatch_logs and identifier else None

    def _approved(self, identifier: str) -> ApprovedKey:
        """Resolve an approved key; a key ARN already says which key it is."""
        arn = Arn.parse(identifier)
        if arn is not None and arn.resource.startswith("key/"):
            return ApprovedKey(identifier, identifier)
        key = self.keys.describe(identifier)
        return ApprovedKey(identifier, key.arn if isinstance(key, KmsKey) else key)

    def _access(
        self, roles: Roles, key: KmsKey, title: str, role_arn: str | Unresolved, action: str
    ) -> RoleKeyAccess | Unresolved:
        if isinstance(role_arn, Unresolved):
            return role_arn
        policy = self.keys.policy(key)
        return RoleKeyAccess(
            title=title,
            role_arn=role_arn,
            action=action,
            identity=roles.simulate(role_arn, action, key.arn),
            key_policy=policy
            if isinstance(policy, Unresolved)
            else evaluate_key_policy(policy, KeyUse(role_arn, action, key.arn)),
        )
