"""Amazon EMR: reading clusters and ending them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from emr_log_guard.adapters.aws_errors import AWS_ERRORS, code_of, message_of, unresolved
from emr_log_guard.domain.clusters import Cluster, ClusterSummary, Session, Step
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    ClusterNotFoundError,
    NotReadableError,
    TerminationRefusedError,
)

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient
    from types_boto3_emr.literals import ClusterStateType, SessionStateType
    from types_boto3_emr.type_defs import ClusterTypeDef, ListClustersInputPaginateTypeDef

    from emr_log_guard.adapters.quick_calls import QuickCalls

_ACTIVE_SESSIONS: tuple["SessionStateType", ...] = (
    "SUBMITTED",
    "STARTING",
    "STARTED",
    "IDLE",
    "BUSY",
)
_SESSIONS_A_PAGE = 100
_FINAL = frozenset({"ValidationException", "AccessDeniedException"})


class EmrClusters:
    """Clusters of this account and Region.

    Errors that a retry may cure fly: the invocation is retried, then dead-lettered.
    """

    def __init__(self, client: "EMRClient", quick: "QuickCalls | None" = None) -> None:
        """Read and act through this client, and read quickly where it showed the way."""
        self._client = client
        self._quick = quick

    def describe(self, cluster_id: str) -> Cluster:
        """Read a cluster: one DescribeCluster.

        Raises:
            ClusterNotFoundError: EMR knows no such cluster here.

        """
        if self._quick:
            found = self._quick.answer("DescribeCluster", ClusterId=cluster_id)
            if found is not None:
                return _cluster(found["Cluster"])
        try:
            answer = self._client.describe_cluster(ClusterId=cluster_id)
        except self._client.exceptions.InvalidRequestException as error:
            raise ClusterNotFoundError(message_of(error)) from error
        return _cluster(answer["Cluster"])

    def read(self, cluster_id: str) -> Cluster | Unresolved:
        """Read a cluster: one DescribeCluster. Whatever keeps it from being read is told.

        Raises:
            ClusterNotFoundError: EMR knows no such cluster here.

        """
        try:
            return self.describe(cluster_id)
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
                for listed in page["Clusters"]:
                    yield ClusterSummary(
                        id=listed["Id"],
                        name=listed["Name"],
                        arn=listed["ClusterArn"],
                        state=listed["Status"]["State"],
                    )
        except AWS_ERRORS as error:
            region = self._client.meta.region_name
            problem = unresolved("elasticmapreduce:ListClusters", region, error)
            raise NotReadableError(problem.reason) from error

    def steps(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        """Read the steps that have log settings of their own: one ListSteps per 50 steps."""
        try:
            return tuple(
                Step(
                    id=step["Id"],
                    name=step["Name"],
                    log_uri=step.get("LogUri") or None,
                    log_key_identifier=step.get("EncryptionKeyArn") or None,
                )
                for page in self._pages_of_steps(cluster_id)
                for step in page["Steps"]
                if step.get("LogUri") or step.get("EncryptionKeyArn")
            )
        except AWS_ERRORS as error:
            return unresolved("elasticmapreduce:ListSteps", cluster_id, error)

    def _pages_of_steps(self, cluster_id: str) -> Iterator[Mapping[str, Any]]:
        asked = {"ClusterId": cluster_id}
        first = self._quick.answer("ListSteps", **asked) if self._quick else None
        if first is not None:
            yield first
            if not first.get("Marker"):
                return
            asked["Marker"] = first["Marker"]
        pages: Any = self._client.get_paginator("list_steps")  # its type knows of no Marker
        yield from pages.paginate(**asked)

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        """Read the active sessions that have S3 log settings of their own.

        One ListSessions per 100 sessions, of which a cluster may have 1,000.
        https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-spark-connect-sessions.html
        """
        pages = self._client.get_paginator("list_sessions").paginate(
            ClusterId=cluster_id, SessionStates=_ACTIVE_SESSIONS, MaxResults=_SESSIONS_A_PAGE
        )
        try:
            return tuple(
                Session(
                    id=session["Id"],
                    name=session.get("Name") or "",
                    log_uri=logs.get("LogUri") or None,
                    log_key_identifier=logs.get("EncryptionKeyArn") or None,
                )
                for page in pages
                for session in page.get("Sessions", ())
                for logs in [
                    session.get("MonitoringConfiguration", {}).get("S3LoggingConfiguration", {})
                ]
                if logs.get("Enabled", True)
                and (logs.get("LogUri") or logs.get("EncryptionKeyArn"))
            )
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
    """Tell EMR's final answers apart from those that a retry may change, which fly."""
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
        raise


def _cluster(answer: "ClusterTypeDef") -> Cluster:
    """Read a description; EMR leaves out, or leaves empty, what is not set."""
    monitoring = answer.get("MonitoringConfiguration", {})
    s3_logs = monitoring.get("S3LoggingConfiguration", {})
    cloudwatch = monitoring.get("CloudWatchLogConfiguration")
    cloudwatch_key = cloudwatch.get("EncryptionKeyArn") if cloudwatch else None
    return Cluster(
        id=answer["Id"],
        arn=answer["ClusterArn"],
        name=answer["Name"],
        state=answer["Status"]["State"],
        log_uri=answer.get("LogUri") or None,
        log_key_identifier=answer.get("LogEncryptionKmsKeyId") or None,
        release_label=answer.get("ReleaseLabel") or None,
        ami_version=answer.get("RunningAmiVersion") or None,
        service_role=answer.get("ServiceRole") or None,
        instance_profile=answer.get("Ec2InstanceAttributes", {}).get("IamInstanceProfile") or None,
        cloudwatch_logs=cloudwatch is not None and cloudwatch["Enabled"],
        cloudwatch_key_identifier=cloudwatch_key or None,
        log_upload_policies={
            str(kind): str(policy)
            for kind, policy in s3_logs.get("LogTypeUploadPolicy", {}).items()
        },
        sessions_enabled=answer.get("SessionEnabled", False),
        termination_protected=answer["TerminationProtected"],
        tags={tag["Key"]: tag.get("Value", "") for tag in answer.get("Tags", [])},
    )
