"""The world as the use cases' ports see it: each fake answers from memory and records its calls."""

from collections.abc import Mapping

from emr_log_guard.domain.clusters import Cluster, Session, Step
from emr_log_guard.domain.decide import Alert, RequestEnforcement
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.keys import KeyFact, KeyNotFound, KmsKey
from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import ClusterNotFoundError, ObjectNotFoundError
from tests.unit.builders import (
    ACCOUNT,
    KEY,
    NODE_ROLE_ARN,
    SERVICE_ROLE_ARN,
    encrypted,
)

type Journal = list[str]
"""What was done, in its order; fakes that share one show who came first."""

DELEGATING_POLICY: Mapping[str, object] = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ]
}


class FakeClusters:
    def __init__(self, *clusters: Cluster, journal: Journal | None = None) -> None:
        self.known = {cluster.id: cluster for cluster in clusters}
        self.asked: list[str] = []
        self.journal: Journal = [] if journal is None else journal
        self.failures: dict[str, BaseException] = {}
        self.listed: tuple[Step, ...] | Unresolved = ()
        self.steps_asked: list[str] = []
        self.listed_sessions: tuple[Session, ...] | Unresolved = ()
        self.sessions_asked: list[str] = []

    def describe(self, cluster_id: str) -> Cluster:
        self.asked.append(cluster_id)
        if cluster_id not in self.known:
            message = f"Cluster id '{cluster_id}' is not valid."
            raise ClusterNotFoundError(message)
        return self.known[cluster_id]

    def steps(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        self.steps_asked.append(cluster_id)
        return self.listed

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        self.sessions_asked.append(cluster_id)
        return self.listed_sessions

    def set_termination_protection(self, cluster_id: str, *, protected: bool) -> None:
        self._do("protect" if protected else "unprotect", cluster_id)

    def terminate(self, cluster_id: str) -> None:
        self._do("terminate", cluster_id)

    def _do(self, deed: str, cluster_id: str) -> None:
        self.journal.append(f"{deed} {cluster_id}")
        if deed in self.failures:
            raise self.failures[deed]


class FakeKeys:
    def __init__(
        self,
        facts: Mapping[str, KeyFact] | None = None,
        policy: Mapping[str, object] | Unresolved = DELEGATING_POLICY,
    ) -> None:
        self.facts = {KEY.arn: KEY} if facts is None else facts
        self.document = policy
        self.asked: list[str] = []
        self.policies_asked: list[str] = []
        self.rotated: bool | Unresolved = True
        self.rotations_asked: list[str] = []

    def describe(self, identifier: str) -> KeyFact:
        self.asked.append(identifier)
        nothing = KeyNotFound(identifier, "kms:DescribeKey answered NotFoundException")
        return self.facts.get(identifier, nothing)

    def policy(self, key: KmsKey) -> Mapping[str, object] | Unresolved:
        self.policies_asked.append(key.arn)
        return self.document

    def rotation(self, key: KmsKey) -> bool | Unresolved:
        self.rotations_asked.append(key.arn)
        return self.rotated


class FakeRoles:
    def __init__(self, decision: IdentityDecision | Unresolved = IdentityDecision.ALLOWED) -> None:
        self.decision = decision
        self.service_role: str | Unresolved = SERVICE_ROLE_ARN
        self.node_role: str | Unresolved = NODE_ROLE_ARN
        self.asked: list[str] = []

    def role_arn(self, role: str) -> str | Unresolved:
        self.asked.append(role)
        return self.service_role

    def instance_profile_role_arn(self, profile: str) -> str | Unresolved:
        self.asked.append(profile)
        return self.node_role

    def simulate(self, role_arn: str, action: str, resource: str) -> IdentityDecision | Unresolved:
        self.asked.append(f"{role_arn} {action} {resource}")
        return self.decision


class FakeBuckets:
    def __init__(self, sending: bool | Unresolved = True) -> None:  # noqa: FBT001, FBT002
        self.sending = sending
        self.asked: list[str] = []

    def sends_events(self, bucket: str) -> bool | Unresolved:
        self.asked.append(bucket)
        return self.sending


class FakeLogObjects:
    def __init__(self, heads: Mapping[str, Encryption | Unresolved | Exception] | None = None):
        self.heads = heads or {}
        self.asked: list[ObjectVersion] = []

    def encryption(self, version: ObjectVersion) -> Encryption | Unresolved:
        """Answer by key; an object that was not spoken of carries KEY."""
        self.asked.append(version)
        head = self.heads.get(version.key, encrypted("aws:kms", KEY.arn))
        if isinstance(head, Exception):
            raise head
        return head


class FakeAlerts:
    def __init__(self, journal: Journal | None = None) -> None:
        self.published: list[Alert] = []
        self.journal: Journal = [] if journal is None else journal
        self.failure: Exception | None = None

    def publish(self, alert: Alert) -> None:
        self.journal.append(f"publish {alert.kind}")
        if self.failure:
            raise self.failure
        self.published.append(alert)


class FakeQueue:
    def __init__(self, journal: Journal | None = None) -> None:
        self.sent: list[RequestEnforcement] = []
        self.journal: Journal = [] if journal is None else journal

    def send(self, request: RequestEnforcement) -> None:
        self.journal.append("send")
        self.sent.append(request)


class FakeChat:
    def __init__(self) -> None:
        self.posts: list[str] = []

    def post(self, text: str) -> None:
        self.posts.append(text)


GONE = ObjectNotFoundError("the object is gone")
