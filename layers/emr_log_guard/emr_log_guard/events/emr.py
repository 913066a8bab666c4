"""The events that name a cluster to look at: EMR's own, CloudTrail's, and requests to look again.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-events-response-console.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from emr_log_guard.events.parsing import Time, convert

ClusterId = Annotated[str, msgspec.Meta(pattern=r"^j-[A-Z0-9]+\Z")]
StackName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]*\Z", max_length=128)]
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
AwsSource = Annotated[str, msgspec.Meta(pattern=r"^aws\.")]
"""Only AWS can send events of such a source."""


@dataclass(frozen=True, slots=True)
class ClusterCheckRequest:
    """Where to look."""

    cluster_id: str
    launched_by: str | None = None
    """The ARN of who launched the cluster; None unless the event tells."""
    force_refresh: bool = False
    """Whether nothing that was read a moment ago will do: somebody asks because of a change."""
    at: datetime | None = None
    """When it happened, what the event tells of, UTC; None when nobody says."""


class ClusterEvent(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """What all the events share."""

    detail_type: Literal[
        "EMR Cluster State Change",
        "EMR Step Status Change",
        "AWS API Call via CloudTrail",
        "Recheck Requested",
    ]
    time: Time | None = None


class EmrDetail(msgspec.Struct, frozen=True, rename="camel"):
    """Which cluster, or cluster's step, changed. Its state is not read: it may be old."""

    cluster_id: ClusterId


class EmrChange(msgspec.Struct, frozen=True):
    """A cluster or a step changed its state."""

    source: Literal["aws.emr"]
    detail: EmrDetail


class UserIdentity(msgspec.Struct, frozen=True):
    """Who called; a service that acts by itself has no ARN."""

    arn: str | None = None


class RunJobFlowResponse(msgspec.Struct, frozen=True, rename="camel"):
    """What EMR answered."""

    job_flow_id: ClusterId


class RunJobFlowDetail(msgspec.Struct, frozen=True, rename="camel"):
    """A call that EMR answered with a new cluster: one that failed has an error code."""

    event_source: Literal["elasticmapreduce.amazonaws.com"]
    event_name: Literal["RunJobFlow"]
    response_elements: RunJobFlowResponse
    user_identity: UserIdentity
    error_code: None = None


class RunJobFlow(msgspec.Struct, frozen=True):
    """Somebody launched a cluster, as CloudTrail tells."""

    source: AwsSource
    detail: RunJobFlowDetail


class RecheckDetail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which cluster to check again, and which stack is to do it."""

    stack: StackName
    cluster_id: ClusterId


class RecheckRequest(msgspec.Struct, frozen=True):
    """An operator, or another automation, asks for a check."""

    source: Literal["emr-log-guard"]
    detail: RecheckDetail


def parse_cluster_event(event: Any) -> ClusterCheckRequest:  # noqa: ANN401 - Lambda hands over any JSON
    """Say which cluster to look at, and who launched it if the event tells.

    Raises:
        InvalidEventError: The event is none of those that name a cluster; the message names the
            field.

    """
    envelope = convert(event, ClusterEvent)
    at = envelope.time
    match envelope.detail_type:
        case "AWS API Call via CloudTrail":
            launch = convert(event, RunJobFlow).detail
            cluster_id = launch.response_elements.job_flow_id
            return ClusterCheckRequest(cluster_id, launch.user_identity.arn, at=at)
        case "Recheck Requested":
            cluster_id = convert(event, RecheckRequest).detail.cluster_id
            return ClusterCheckRequest(cluster_id, force_refresh=True, at=at)
        case _:
            return ClusterCheckRequest(convert(event, EmrChange).detail.cluster_id, at=at)
