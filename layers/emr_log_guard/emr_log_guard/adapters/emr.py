"""Amazon EMR: reading and terminating clusters."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import batched, islice
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
    from types_boto3_emr.literals import ClusterStateType, SessionStateType, StepStateType
    from types_boto3_emr.type_defs import (
        ListClustersInputPaginateTypeDef,
        ListStepsInputTypeDef,
        ListStepsOutputTypeDef,
    )

_ACTIVE_SESSIONS: tuple["SessionStateType", ...] = (
    "SUBMITTED",
    "STARTING",
    "STARTED",
    "IDLE",
    "BUSY",
)
_SESSIONS_A_PAGE = 100
_STEPS_BY_ID = 10
MOST_PAGES = 20
"""How many pages of 50 steps a check of a cluster reads, before it goes on by ids or states."""
_ACTIVE_STEPS: tuple["StepStateType", ...] = ("PENDING", "CANCEL_PENDING", "RUNNING")
"""A cluster has at most 256 of these.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-work-with-steps.html
"""
_FINAL = frozenset({"ValidationException", "AccessDeniedException"})


class EmrClusters:
    """Clusters of this account and Region.

    Other errors propagate: what asked for the read is retried, then dead-lettered.
    """

    def __init__(self, client: "EMRClient", further_pages: "EMRClient | None" = None) -> None:
        """Read and act through this client.

        Args:
            client: The client.
            further_pages: Reads the pages of steps after the first one; None: the same client. A
                list that has begun is worth waiting for.

        """
        self._client = client
        self._further_pages = further_pages or client

    def describe(self, cluster_id: str) -> Cluster:
        """Read a cluster: one DescribeCluster.

        Raises:
            ClusterNotFoundError: EMR knows no such cluster here.
            NotReadableError: The response has no ARN or state.
            TemporarilyUnavailableError: EMR is temporarily unavailable.

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
        """Read a cluster: one DescribeCluster. Errors are returned as Unresolved.

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
            created_after: Only clusters that were launched later; None: all.

        Raises:
            NotReadableError: A page cannot be read.

        """
        wanted = cast("Sequence[ClusterStateType]", states)
        request: ListClustersInputPaginateTypeDef = {"ClusterStates": wanted}
        if created_after is not None:
            request["CreatedAfter"] = created_after
        pages = self._client.get_paginator("list_clusters").paginate(**request)
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
        """Read the steps with their own log settings, as `all_steps` reads steps."""
        return _with_log_settings(self.all_steps(cluster_id))

    def log_writers(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        """Read the steps with their own log settings, however old: one ListSteps per 50 steps."""
        return _with_log_settings(_steps(cluster_id, self._pages(cluster_id)))

    def all_steps(
        self, cluster_id: str, wanted: Sequence[str] = ()
    ) -> tuple[Step, ...] | Unresolved:
        """Read the steps of a cluster: one ListSteps per 50.

        Of a cluster with more than MOST_PAGES these are the newest and the active ones, so that a
        check does not outlast its function's timeout: a cluster may have any number of steps.
        Wanted steps that are not among them are read by their ids, one ListSteps per ten.
        https://docs.aws.amazon.com/emr/latest/APIReference/API_ListSteps.html
        """
        return self._with_wanted(cluster_id, wanted, self._newest_and_active(cluster_id))

    def new_steps(
        self, cluster_id: str, wanted: Sequence[str], known: Collection[str]
    ) -> tuple[Step, ...] | Unresolved:
        """Read the steps that are newer than the known ones: one ListSteps per 50.

        At most MOST_PAGES are read. Wanted steps that are not among them are read by their ids.
        """
        return self._with_wanted(cluster_id, wanted, _up_to(known, self._pages(cluster_id)))

    def named_steps(
        self, cluster_id: str, step_ids: Sequence[str]
    ) -> tuple[Step, ...] | Unresolved:
        """Read steps by their ids: one ListSteps per ten."""
        return _named_steps(self._client, cluster_id, step_ids)

    def _with_wanted(
        self, cluster_id: str, wanted: Sequence[str], pages: "Iterable[ListStepsOutputTypeDef]"
    ) -> tuple[Step, ...] | Unresolved:
        listed = _steps(cluster_id, pages)
        if isinstance(listed, Unresolved):
            return listed
        found = {each.id for each in listed}
        missing = [each for each in wanted if each not in found]
        if not missing:
            return listed
        older = _named_steps(self._further_pages, cluster_id, missing)
        return older if isinstance(older, Unresolved) else (*listed, *older)

    def _newest_and_active(self, cluster_id: str) -> "Iterator[ListStepsOutputTypeDef]":
        more = False
        for page in islice(self._pages(cluster_id), MOST_PAGES):
            yield page
            more = "Marker" in page
        if more:
            yield from self._further_pages.get_paginator("list_steps").paginate(
                ClusterId=cluster_id, StepStates=_ACTIVE_STEPS
            )

    def _pages(self, cluster_id: str) -> "Iterator[ListStepsOutputTypeDef]":
        request: ListStepsInputTypeDef = {"ClusterId": cluster_id}
        page = self._client.list_steps(**request)
        yield page
        while marker := page.get("Marker"):
            request["Marker"] = marker
            page = self._further_pages.list_steps(**request)
            yield page

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        """Read the active sessions with their own log settings, wherever they log to.

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
        """Turn off or restore a cluster's termination protection.

        Raises:
            TerminationRefusedError: EMR refuses, and a retry will not help.

        """
        with _refusals():
            self._client.set_termination_protection(
                JobFlowIds=[cluster_id], TerminationProtected=protected
            )

    def terminate(self, cluster_id: str) -> None:
        """Start a cluster's termination; EMR completes it later.

        Raises:
            ClusterNotFoundError: EMR does not know it.
            TerminationRefusedError: EMR refuses, and a retry will not help.

        """
        with _refusals():
            self._client.terminate_job_flows(JobFlowIds=[cluster_id])


@contextmanager
def _refusals() -> Iterator[None]:
    """Separate EMR's final errors from retryable ones.

    An unanswered call may have been accepted: its error propagates unchanged.
    """
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code == "InvalidRequestException":
            raise ClusterNotFoundError(message_of(error)) from error
        message = f"elasticmapreduce:{error.operation_name} answered {code}: {message_of(error)}"
        if code in _FINAL:
            raise TerminationRefusedError(message) from error
        raise TerminationNotAcceptedError(message) from error


def _cluster(cluster_id: str, answer: Mapping[str, Any]) -> Cluster:
    """Parse a description. All of its fields are optional; unset ones are missing or empty.

    A cluster counts as protected unless EMR says that it is not.
    """
    call = "elasticmapreduce:DescribeCluster"
    found = _part(answer, "Cluster")
    monitoring = _part(found, "MonitoringConfiguration")
    policies = _part(_part(monitoring, "S3LoggingConfiguration"), "LogTypeUploadPolicy")
    cloudwatch = _part(monitoring, "CloudWatchLogConfiguration")
    return Cluster(
        id=found.get("Id") or cluster_id,
        arn=_required(found, "ClusterArn", call),
        name=found.get("Name") or "",
        state=_required(_part(found, "Status"), "State", call),
        log_uri=found.get("LogUri") or None,
        log_key_identifier=found.get("LogEncryptionKmsKeyId") or None,
        release_label=found.get("ReleaseLabel") or None,
        ami_version=found.get("RunningAmiVersion") or None,
        service_role=found.get("ServiceRole") or None,
        instance_profile=_part(found, "Ec2InstanceAttributes").get("IamInstanceProfile") or None,
        cloudwatch_logs=bool(cloudwatch.get("Enabled")),
        cloudwatch_key_identifier=cloudwatch.get("EncryptionKeyArn") or None,
        log_upload_policies={kind: policy for kind, policy in policies.items() if policy},
        sessions_enabled=bool(found.get("SessionEnabled")),
        termination_protected=found.get("TerminationProtected") is not False,
        tags={
            tag["Key"]: tag.get("Value") or "" for tag in _listed(found, "Tags") if tag.get("Key")
        },
    )


def _steps(
    cluster_id: str, pages: "Iterable[ListStepsOutputTypeDef]"
) -> tuple[Step, ...] | Unresolved:
    try:
        steps = [_step(step) for page in pages for step in _listed(page, "Steps")]
        return tuple({each.id: each for each in steps}.values())
    except NotReadableError as error:
        return Unresolved(str(error))
    except AWS_ERRORS as error:
        return unresolved("elasticmapreduce:ListSteps", cluster_id, error)


def _with_log_settings(listed: tuple[Step, ...] | Unresolved) -> tuple[Step, ...] | Unresolved:
    if isinstance(listed, Unresolved):
        return listed
    return tuple(step for step in listed if step.has_log_settings)


def _named_steps(
    client: "EMRClient", cluster_id: str, step_ids: Sequence[str]
) -> tuple[Step, ...] | Unresolved:
    pages = (
        client.list_steps(ClusterId=cluster_id, StepIds=ids)
        for ids in batched(step_ids, _STEPS_BY_ID)
    )
    return _steps(cluster_id, pages)


def _up_to(
    known: Collection[str], pages: "Iterable[ListStepsOutputTypeDef]"
) -> "Iterator[ListStepsOutputTypeDef]":
    for page in islice(pages, MOST_PAGES):
        yield page
        if any(step.get("Id") in known for step in _listed(page, "Steps")):
            return


def _step(listed: Mapping[str, Any]) -> Step:
    """Parse a step; an unknown state is None."""
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
    """Parse a session; None when it has no log settings of its own.

    The default of `Enabled` is not documented: other settings count as enabled unless it is false.
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
    """Return the settings that are set; none when they are disabled."""
    if settings.get("Enabled") is False:
        return {}
    return {name: value for name, value in settings.items() if value}


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a structure or map; empty when it is absent or null."""
    return whole.get(name) or {}


def _listed(whole: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """Return a list of structures; empty when it is absent or null, as its members may be."""
    return (each for each in whole.get(name) or () if each)


def _required(whole: Mapping[str, Any], name: str, call: str) -> str:
    """Return a required field.

    Raises:
        NotReadableError: It is absent, null or empty.

    """
    value = whole.get(name)
    if not value:
        message = f"{call} answered without {name}"
        raise NotReadableError(message)
    return str(value)
