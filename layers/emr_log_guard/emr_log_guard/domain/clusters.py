"""EMR clusters, as elasticmapreduce:DescribeCluster describes them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.key_access import RoleKeyAccess
from emr_log_guard.domain.keys import (
    ApprovedKey,
    KeyFact,
    KeyManager,
    KeyNotFound,
    KmsKey,
    certain_arn,
)
from emr_log_guard.domain.unresolved import Unresolved

_LAUNCHING = frozenset({"STARTING", "BOOTSTRAPPING"})
TERMINATED = "TERMINATED"
"""The state of a terminated cluster, also if it may be TERMINATED_WITH_ERRORS."""
_TERMINATED = frozenset({TERMINATED, "TERMINATED_WITH_ERRORS"})
_TERMINATING = _TERMINATED | {"TERMINATING"}
_PHASES = ("STARTING", "BOOTSTRAPPING", "RUNNING", "TERMINATING", "TERMINATED")
_SAME_PHASE = {"WAITING": "RUNNING", "TERMINATED_WITH_ERRORS": "TERMINATED"}
"""A cluster goes to and fro between WAITING and RUNNING; it ends in one of two states."""

LOG_TYPES = ("system-logs", "application-logs", "persistent-ui-logs")
"""The log types that have an upload policy.

https://docs.aws.amazon.com/emr/latest/APIReference/API_S3LoggingConfiguration.html
"""
_NO_UPLOAD = "disabled"


def later_state(known: str, announced: str | None) -> str:
    """Move a known state forward to an announced one, never back: events come in any order.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-overview.html#emr-overview-cluster-lifecycle

    Args:
        known: The state as it is known.
        announced: The state that an event names; None where it names none.

    """
    if announced is None or _phase(announced) < _phase(known):
        return known
    return known if _phase(known) == len(_PHASES) - 1 else announced


def _phase(state: str) -> int:
    """Number the phases of a cluster's life; a state that is not known comes before all."""
    phase = _SAME_PHASE.get(state, state)
    return _PHASES.index(phase) if phase in _PHASES else -1


@dataclass(frozen=True, slots=True)
class ClusterSummary:
    """A cluster as elasticmapreduce:ListClusters describes it.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_ClusterSummary.html
    """

    id: str
    name: str
    arn: str
    state: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's settings. All but state, protection and tags are fixed at launch.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_Cluster.html
    """

    id: str
    arn: str
    name: str
    state: str
    log_uri: str | None = None
    log_key_identifier: str | None = None
    """LogEncryptionKmsKeyId as configured: key id, key ARN, alias name or alias ARN."""
    release_label: str | None = None
    ami_version: str | None = None
    service_role: str | None = None
    """The role's name or ARN."""
    instance_profile: str | None = None
    """The instance profile's name or ARN."""
    cloudwatch_logs: bool = False
    """Whether the cluster sends logs to CloudWatch."""
    cloudwatch_key_identifier: str | None = None
    log_upload_policies: Mapping[str, str] = field(default_factory=dict)
    """Upload policies by log type, as far as they are set: `emr-managed` is the default."""
    sessions_enabled: bool = False
    """Whether Spark Connect sessions may run on the cluster."""
    termination_protected: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account that the cluster runs in, twelve digits."""
        return Arn.of(self.arn).account

    @property
    def region(self) -> str:
        """The Region that the cluster runs in."""
        return Arn.of(self.arn).region

    def bucket_owner(self, others: Collection[str]) -> str | None:
        """Return the one account that may own its log buckets; None when there are several."""
        return None if {*others} - {self.account} else self.account

    @property
    def uploads_disabled(self) -> bool:
        """Whether the upload policy of every log type says `disabled`: no S3 upload.

        EMR does not document which type the logs of steps are: log objects that appear
        nevertheless are evaluated like any others.
        https://docs.aws.amazon.com/emr/latest/APIReference/API_S3LoggingConfiguration.html
        """
        types = {*LOG_TYPES, *self.log_upload_policies}
        return all(self.log_upload_policies.get(each) == _NO_UPLOAD for each in types)

    @property
    def archive_uri(self) -> str | None:
        """Where the cluster's logs are archived: its log URI, unless all uploads are disabled."""
        return None if self.uploads_disabled else self.log_uri

    @property
    def terminating(self) -> bool:
        """Whether the cluster is terminating or terminated."""
        return self.state in _TERMINATING

    @property
    def terminated(self) -> bool:
        """Whether the cluster is terminated."""
        return self.state in _TERMINATED

    @property
    def launching(self) -> bool:
        """Whether the cluster is not running yet."""
        return self.state in _LAUNCHING


@dataclass(frozen=True, slots=True)
class Workload:
    """A step or session with its own log settings, which default to the cluster's."""

    kind: ClassVar[str]
    """Its kind, for texts."""

    id: str
    name: str
    log_uri: str | None = None
    log_key_identifier: str | None = None

    @property
    def has_log_settings(self) -> bool:
        """Whether it has a log URI or log key of its own."""
        return bool(self.log_uri or self.log_key_identifier)

    @property
    def title(self) -> str:
        """Its name in texts."""
        return f"{self.kind} {self.id} ({self.name})"


class StepState(StrEnum):
    """Every state of a step.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_StepStatus.html
    """

    PENDING = "PENDING"
    CANCEL_PENDING = "CANCEL_PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"


_FINISHED = frozenset(
    {StepState.COMPLETED, StepState.CANCELLED, StepState.FAILED, StepState.INTERRUPTED}
)
_CANCELLABLE = frozenset({StepState.PENDING, StepState.RUNNING})


@dataclass(frozen=True, slots=True)
class Step(Workload):
    """A step: https://docs.aws.amazon.com/emr/latest/APIReference/API_StepSummary.html."""

    kind = "step"

    state: StepState | None = StepState.RUNNING
    """None when EMR reports none, or an unknown one."""
    started: bool = False
    """Whether its execution started (`Timeline.StartDateTime`)."""

    @property
    def never_ran(self) -> bool:
        """Whether it was cancelled before it started: it never writes logs."""
        return self.state is StepState.CANCELLED and not self.started

    @property
    def finished(self) -> bool:
        """Whether it is finished, or cancelled after its start: it writes no more logs."""
        return self.state in _FINISHED

    @property
    def cancellable(self) -> bool:
        """Whether it can still be cancelled.

        https://docs.aws.amazon.com/emr/latest/APIReference/API_CancelSteps.html
        """
        return self.state in _CANCELLABLE


@dataclass(frozen=True, slots=True)
class Session(Workload):
    """A Spark Connect session that has not ended.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_Session.html
    """

    kind = "session"

    cloudwatch_logs: bool = False
    """Whether it sends logs to CloudWatch."""
    cloudwatch_key_identifier: str | None = None
    managed_logs: bool = False
    """Whether the EMR service retains its logs."""
    managed_key_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class PartlyListed:
    """The steps of a cluster that are known, where others could not be read."""

    steps: tuple[Step, ...]
    unread: Unresolved


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """A workload, and the key that its logs are encrypted with."""

    workload: Workload
    log_key: KeyFact | None
    """The workload's key, else the cluster's; None when neither names one."""
    cloudwatch_key: KeyFact | None = None
    """None when it names no key of its own for logs in CloudWatch."""


@dataclass(frozen=True, slots=True)
class BucketOwnership:
    """Which of some accounts owns a bucket, and the Region that it is in."""

    owner: str | None
    """The account, twelve digits; None when it is none of those checked."""
    region: str | None = None
    """None when S3 does not say."""


@dataclass(frozen=True, slots=True)
class LogBucket:
    """A bucket that logs go to."""

    name: str
    sends_events: bool | Unresolved | None = None
    """Whether it sends events to EventBridge; None when it does not exist, or no rule needs it."""
    checked: bool = True
    """Whether objects of this bucket are checked when events arrive."""
    ownership: BucketOwnership | Unresolved | None = None
    """Its owner; None when no rule needs it."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """The facts for the cluster rules."""

    cluster: Cluster
    log_key: KeyFact | None = None
    """None when the cluster names no key."""
    approved_keys: tuple[ApprovedKey, ...] = ()
    """Empty while the policy lists none."""
    role_access: tuple[RoleKeyAccess | Unresolved, ...] = ()
    """Each role's access to the log key; empty when there is no usable key."""
    key_rotation: bool | Unresolved | None = None
    """Whether KMS rotates the log key automatically; None when no rule needs it."""
    steps: tuple[WorkloadFacts, ...] | Unresolved = ()
    """The steps with their own log settings."""
    unread_steps: Unresolved | None = None
    """Why there may be more steps than these; None when all are known, or none could be listed."""
    sessions: tuple[WorkloadFacts, ...] | Unresolved = ()
    """The sessions with their own log settings."""
    log_buckets: tuple[LogBucket, ...] = ()
    """The buckets of `log_uris`, as far as these can be parsed; empty when no rule needs them."""
    cloudwatch_key: KeyFact | None = None
    """None when the cluster names no key for its logs in CloudWatch."""
    log_key_worked: bool = False
    """Whether the log key was found usable at an earlier check of the cluster."""

    @property
    def workloads(self) -> tuple[WorkloadFacts, ...]:
        """The steps and sessions with their own log settings that could be listed."""
        return tuple(
            each
            for found in (self.steps, self.sessions)
            if not isinstance(found, Unresolved)
            for each in found
        )

    @property
    def unlisted(self) -> Unresolved | None:
        """Why there may be more steps or sessions; None when all are known."""
        for found in (self.steps, self.unread_steps, self.sessions):
            if isinstance(found, Unresolved):
                return found
        return None

    @property
    def log_uris(self) -> tuple[str, ...]:
        """All log URIs: the cluster's first, without duplicates."""
        uris = (self.cluster.archive_uri, *(each.workload.log_uri for each in self.workloads))
        return tuple(dict.fromkeys(uri for uri in uris if uri))

    @property
    def certain_key_arns(self) -> tuple[str, ...]:
        """The ARNs of the customer-managed keys, and of those that could not be described."""
        cluster = self.cluster
        named = (
            (self.log_key, cluster.log_key_identifier),
            (self.cloudwatch_key, cluster.cloudwatch_key_identifier),
            *(
                (each.log_key, each.workload.log_key_identifier or cluster.log_key_identifier)
                for each in self.workloads
            ),
            *(
                (each.cloudwatch_key, each.workload.cloudwatch_key_identifier)
                for each in self.workloads
                if isinstance(each.workload, Session)
            ),
        )
        arns = (
            certain_arn(fact, identifier)
            for fact, identifier in named
            if not (isinstance(fact, KmsKey) and fact.manager is KeyManager.AWS)
            and not isinstance(fact, KeyNotFound)
        )
        return tuple(dict.fromkeys(arn for arn in arns if arn))

    @property
    def key_arns(self) -> tuple[str, ...]:
        """The keys that the cluster's logs use, as far as they are known."""
        keys = (
            self.log_key,
            self.cloudwatch_key,
            *(key for each in self.workloads for key in (each.log_key, each.cloudwatch_key)),
        )
        return tuple(dict.fromkeys(key.arn for key in keys if isinstance(key, KmsKey)))
