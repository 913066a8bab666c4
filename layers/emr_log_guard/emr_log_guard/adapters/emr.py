"""Amazon EMR: reading clusters and ending them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import batched, chain
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from emr_log_guard.adapters.errors import AWS_ERRORS, code_of, message_of, unresolved
from emr_log_guard.domain.clusters import Cluster, ClusterSummary, Session, Step, StepState
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    ClusterNotFoundError,
    NotReadableError,
    TemporarilyUnavailableError,
    TerminationNotAcceptedError,
    TerminationRefusedError,
)

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient
    from types_boto3_emr.literals import ClusterStateType, SessionStateType
    from types_boto3_emr.type_defs import ListClustersInputPaginateTypeDef

_ACTIVE_SESSIONS: tuple["SessionStateType", ...] = (
    "SUBMITTED",
    "STARTING",
    "STARTED",
    "IDLE",
    "BUSY",
)
_SESSIONS_A_PAGE = 100
_STEPS_BY_ID = 10
_FINAL = frozenset({"ValidationException", "AccessDeniedException"})


class EmrClusters:
    """Clusters of this account and Region.

    Other errors propagate: what asked for the read is retried, then dead-lettered.
    """

    def __init__(self, client: "EMRClient") -> None:
        """Read and act through this client."""
        self._client = client

    def describe(self, cluster_id: str) -> Cluster:
        """Read a cluster: one DescribeCluster.

        Raises:
            ClusterNotFoundError: EMR knows no such cluster here.
            NotReadableError: The answer does not say which cluster it is, or its state.
            TemporarilyUnavailableError: EMR could not answer now.

        """
        try:
            answer = self._client.describe_cluster(ClusterId=cluster_id)
        except self._client.exceptions.InvalidRequestException as error:
            raise ClusterNotFoundError(message_of(error)) from error
        except AWS_ERRORS as error:
            problem = unresolved("elasticmapreduce:DescribeCluster", cluster_id, error)
            if problem.transient:
                raise TemporarilyUnavailableError(problem.reason) from error
            raise
        return _cluster(cluster_id, answer)

    def read(self, cluster_id: str) -> Cluster | Unresolved:
        """Read a cluster: one DescribeCluster. Whatever keeps it from being read is told.

        Raises:
            ClusterNotFoundError: EMR knows no such cluster here.

        """
        try:
            return self.describe(cluster_id)
        except NotReadableError as error:
            return Unresolved(str(error))
        except TemporarilyUnavailableError as error:
            return Unresolved(str(error), transient=True)
        except AWS_ERRORS as error:
            return unresolved("elasticmapreduce:DescribeCluster", cluster_id, error)

    def summaries(
        self, states: Sequence[str], created_after: datetime | None = None
    ) -> Iterator[ClusterSummary]:
        """List the clusters in these states, as the pages come: one ListClusters per 50.

        Args:
            states: The states.
            created_after: Only clusters that were launched later; None is all.

        Raises:
            NotReadableError: A page cannot be read.

        """
        wanted = cast("Sequence[ClusterStateType]", states)
        asked: ListClustersInputPaginateTypeDef = {"ClusterStates": wanted}
        if created_after is not None:
            asked["CreatedAfter"] = created_after
        pages = self._client.get_paginator("list_clusters").paginate(**asked)
        try:
            for page in pages:
                for listed in _listed(page, "Clusters"):
                    yield ClusterSummary(
                        id=_required(listed, "Id", "elasticmapreduce:ListClusters"),
                        name=listed.get("Name") or "",
                        arn=_required(listed, "ClusterArn", "elasticmapreduce:ListClusters"),
                        state=_part(listed, "Status").get("State") or "",
                    )
        except AWS_ERRORS as error:
            region = self._client.meta.region_name
            problem = unresolved("elasticmapreduce:ListClusters", region, error)
            raise NotReadableError(problem.reason) from error

    def steps(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        """Read the steps that have log settings of their own: one ListSteps per 50 steps."""
        listed = self.all_steps(cluster_id)
        if isinstance(listed, Unresolved):
            return listed
        return tuple(step for step in listed if step.has_log_settings)

    def all_steps(
        self, cluster_id: str, step_ids: Sequence[str] = ()
    ) -> tuple[Step, ...] | Unresolved:
        """Read all steps, one ListSteps per 50; or those that are named, one per ten.

        https://docs.aws.amazon.com/emr/latest/APIReference/API_ListSteps.html
        """
        listing = self._client.get_paginator("list_steps").paginate
        named = [
            listing(ClusterId=cluster_id, StepIds=ids) for ids in batched(step_ids, _STEPS_BY_ID)
        ]
        pages = chain.from_iterable(named or [listing(ClusterId=cluster_id)])
        try:
            return tuple(_step(step) for page in pages for step in _listed(page, "Steps"))
        except NotReadableError as error:
            return Unresolved(str(error))
        except AWS_ERRORS as error:
            return unresolved("elasticmapreduce:ListSteps", cluster_id, error)

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        """Read the active sessions that have log settings of their own, wherever they log to.

        One ListSessions per 100 sessions, of which a cluster may have 1,000.
        https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-spark-connect-sessions.html
        """
        pages = self._client.get_paginator("list_sessions").paginate(
            ClusterId=cluster_id, SessionStates=_ACTIVE_SESSIONS, MaxResults=_SESSIONS_A_PAGE
        )
        try:
            return tuple(
                session
                for page in pages
                for listed in _listed(page, "Sessions")
                if (session := _session(listed)) is not None
            )
        except NotReadableError as error:
            return Unresolved(str(error))
        except AWS_ERRORS as error:
            return unresolved("elasticmapreduce:ListSessions", cluster_id, error)

    def set_termination_protection(self, cluster_id: str, *, protected: bool) -> None:
        """Lift or restore a cluster's termination protection.

        Raises:
            TerminationRefusedError: EMR will not, and a retry will not help.

        """
        with _refusals():
            self._client.set_termination_protection(
                JobFlowIds=[cluster_id], TerminationProtected=protected
            )

    def terminate(self, cluster_id: str) -> None:
        """Begin a cluster's termination; EMR completes it later.

        Raises:
            ClusterNotFoundError: It is gone.
            TerminationRefusedError: EMR will not, and a retry will not help.

        """
        with _refusals():
            self._client.terminate_job_flows(JobFlowIds=[cluster_id])


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell EMR's final answers apart from those that a retry may change.

    What was never answered may have been accepted, and propagates as it is.
    """
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code == "InvalidRequestException":
            raise ClusterNotFoundError(message_of(error)) from error
        if code in _FINAL:
            message = (
                f"elasticmapreduce:{error.operation_name} answered {code}: {message_of(error)}"
            )
            raise TerminationRefusedError(message) from error
        message = f"elasticmapreduce:{error.operation_name} answered {code}: {message_of(error)}"
        raise TerminationNotAcceptedError(message) from error


def _cluster(cluster_id: str, answer: Mapping[str, Any]) -> Cluster:
    """Read a description. EMR requires nothing of it but leaves out, or empty, what is not set.

    A cluster of which EMR does not say that it is unprotected is taken for protected.
    """
    asked = "elasticmapreduce:DescribeCluster"
    said = _part(answer, "Cluster")
    monitoring = _part(said, "MonitoringConfiguration")
    policies = _part(_part(monitoring, "S3LoggingConfiguration"), "LogTypeUploadPolicy")
    cloudwatch = _part(monitoring, "CloudWatchLogConfiguration")
    return Cluster(
        id=said.get("Id") or cluster_id,
        arn=_required(said, "ClusterArn", asked),
        name=said.get("Name") or "",
        state=_required(_part(said, "Status"), "State", asked),
        log_uri=said.get("LogUri") or None,
        log_key_identifier=said.get("LogEncryptionKmsKeyId") or None,
        release_label=said.get("ReleaseLabel") or None,
        ami_version=said.get("RunningAmiVersion") or None,
        service_role=said.get("ServiceRole") or None,
        instance_profile=_part(said, "Ec2InstanceAttributes").get("IamInstanceProfile") or None,
        cloudwatch_logs=bool(cloudwatch.get("Enabled")),
        cloudwatch_key_identifier=cloudwatch.get("EncryptionKeyArn") or None,
        log_upload_policies={kind: policy for kind, policy in policies.items() if policy},
        sessions_enabled=bool(said.get("SessionEnabled")),
        termination_protected=said.get("TerminationProtected") is not False,
        tags={
            tag["Key"]: tag.get("Value") or "" for tag in _listed(said, "Tags") if tag.get("Key")
        },
    )


def _step(listed: Mapping[str, Any]) -> Step:
    """Read a step; a state that is not known is none."""
    status = _part(listed, "Status")
    state = status.get("State") or ""
    return Step(
        id=_required(listed, "Id", "elasticmapreduce:ListSteps"),
        name=listed.get("Name") or "",
        log_uri=listed.get("LogUri") or None,
        log_key_identifier=listed.get("EncryptionKeyArn") or None,
        state=StepState(state) if state in StepState else None,
        started=bool(_part(status, "Timeline").get("StartDateTime")),
    )


def _session(listed: Mapping[str, Any]) -> Session | None:
    """Read a session; None when it has no log settings of its own.

    What `Enabled` is by default is not documented: settings that say more than that, and do not
    turn themselves off, are taken to be on.
    https://docs.aws.amazon.com/emr/latest/APIReference/API_SessionMonitoringConfiguration.html
    """
    monitoring = _part(listed, "MonitoringConfiguration")
    s3 = _enabled(_part(monitoring, "S3LoggingConfiguration"))
    cloudwatch = _enabled(_part(monitoring, "CloudWatchLoggingConfiguration"))
    managed = _enabled(_part(monitoring, "ManagedLoggingConfiguration"))
    if not (s3.get("LogUri") or s3.get("EncryptionKeyArn") or cloudwatch or managed):
        return None
    return Session(
        id=_required(listed, "Id", "elasticmapreduce:ListSessions"),
        name=listed.get("Name") or "",
        log_uri=s3.get("LogUri") or None,
        log_key_identifier=s3.get("EncryptionKeyArn") or None,
        cloudwatch_logs=bool(cloudwatch),
        cloudwatch_key_identifier=cloudwatch.get("EncryptionKeyArn") or None,
        managed_logs=bool(managed),
        managed_key_identifier=managed.get("EncryptionKeyArn") or None,
    )


def _enabled(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out what is not set of settings; all of it where they are off."""
    if settings.get("Enabled") is False:
        return {}
    return {name: value for name, value in settings.items() if value}


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Read a structure or map; empty when it is absent or null."""
    return whole.get(name) or {}


def _listed(whole: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """Read a list of structures; empty when it is absent or null, as its members may be."""
    return (each for each in whole.get(name) or () if each)


def _required(whole: Mapping[str, Any], name: str, call: str) -> str:
    """Read what nothing can be said without.

    Raises:
        NotReadableError: It is absent, null or empty.

    """
    value = whole.get(name)
    if not value:
        message = f"{call} answered without {name}"
        raise NotReadableError(message)
    return str(value)
