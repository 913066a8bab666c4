"""Events that name a cluster to check: EMR's own, CloudTrail's, and re-check requests.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-events-response-console.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Annotated, Any, Literal, Self

import msgspec

from emr_log_guard.domain.arn import bucket_named
from emr_log_guard.domain.clusters import later_state
from emr_log_guard.events.parsing import Time, convert, decode

BucketArn = Annotated[str, msgspec.Meta(pattern=r"^arn:[a-z-]+:s3:::[A-Za-z0-9._-]{3,255}\Z")]
"""Old buckets of us-east-1 have such names.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""
ClusterId = Annotated[str, msgspec.Meta(pattern=r"^j-[A-Z0-9]+\Z")]
StepId = Annotated[str, msgspec.Meta(pattern=r"^s-[A-Z0-9]+\Z")]
StackName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]*\Z", max_length=128)]
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
AwsSource = Annotated[str, msgspec.Meta(pattern=r"^aws\.")]
"""Only AWS can send events of such a source."""


@dataclass(frozen=True, slots=True)
class ClusterCheckRequest:
    """A request to check a cluster, or a log bucket that a finding is about."""

    cluster_id: str
    """The cluster, or the bucket's ARN."""
    launched_by: str | None = None
    """The ARN of who launched the cluster; None unless the event has it."""
    force_refresh: bool = False
    """Whether caches are bypassed: the check was requested because of a change."""
    at: datetime | None = None
    """When the event happened, or the first of several, UTC; None when unknown."""
    by_event: bool = False
    """Whether EMR or CloudTrail announced it: what cannot change is then read only once."""
    state: str | None = None
    """The cluster's state, as an event of EMR says; None where none does."""
    step_ids: tuple[str, ...] = ()
    """The steps that events of EMR name."""

    @property
    def about_bucket(self) -> bool:
        """Whether it names a log bucket."""
        return bucket_named(self.cluster_id) is not None

    def may_wait(self) -> bool:
        """Whether it may wait for hours, as re-checks: thousands may be requested at once."""
        return self.force_refresh

    @classmethod
    def merged(cls, requests: Sequence[Self]) -> Self:
        """Make one request of several for the same cluster, at least one."""
        return cls(
            requests[0].cluster_id,
            next((each.launched_by for each in requests if each.launched_by), None),
            force_refresh=any(each.force_refresh for each in requests),
            at=min((each.at for each in requests if each.at), default=None),
            by_event=all(each.by_event for each in requests),
            state=reduce(later_state, (each.state for each in requests if each.state), "") or None,
            step_ids=tuple(dict.fromkeys(s for each in requests for s in each.step_ids)),
        )


class ClusterEvent(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """The common fields of these events."""

    detail_type: Literal[
        "EMR Cluster State Change",
        "EMR Step Status Change",
        "AWS API Call via CloudTrail",
        "Recheck Requested",
    ]
    time: Time | None = None


class ClusterDetail(msgspec.Struct, frozen=True, rename="camel"):
    """Which cluster changed its state, and to which: it may have another one by now."""

    cluster_id: ClusterId
    state: str


class StepDetail(msgspec.Struct, frozen=True, rename="camel"):
    """Which step of which cluster changed its state."""

    cluster_id: ClusterId
    step_id: StepId


class ClusterChange(msgspec.Struct, frozen=True):
    """A cluster changed its state."""

    source: Literal["aws.emr"]
    detail: ClusterDetail


class StepChange(msgspec.Struct, frozen=True):
    """A step changed its state."""

    source: Literal["aws.emr"]
    detail: StepDetail


class UserIdentity(msgspec.Struct, frozen=True):
    """The caller; an AWS service has no ARN."""

    arn: str | None = None


class RunJobFlowResponse(msgspec.Struct, frozen=True, rename="camel"):
    """EMR's response."""

    job_flow_id: ClusterId


class RunJobFlowDetail(msgspec.Struct, frozen=True, rename="camel"):
    """A successful call: a failed one has an error code."""

    event_source: Literal["elasticmapreduce.amazonaws.com"]
    event_name: Literal["RunJobFlow"]
    response_elements: RunJobFlowResponse
    user_identity: UserIdentity
    error_code: None = None


class RunJobFlow(msgspec.Struct, frozen=True):
    """A cluster was launched, from CloudTrail."""

    source: AwsSource
    detail: RunJobFlowDetail


class RecheckDetail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cluster or the log bucket to check again, and the stack that checks it."""

    stack: StackName
    cluster_id: ClusterId | None = None
    bucket_arn: BucketArn | None = None

    def __post_init__(self) -> None:
        """Require one of the two."""
        if (self.cluster_id is None) is (self.bucket_arn is None):
            message = "either `cluster_id` or `bucket_arn` is required"
            raise ValueError(message)


class RecheckRequest(msgspec.Struct, frozen=True):
    """A check was requested by an operator or another automation."""

    source: Literal["emr-log-guard"]
    detail: RecheckDetail


def parse_cluster_message(body: str) -> ClusterCheckRequest:
    """Say which cluster a queued message asks to check: its body is the event.

    Raises:
        InvalidEventError: It is no JSON, or none of the events that name a cluster.

    """
    return parse_cluster_event(decode(body, dict[str, Any]))


def parse_cluster_event(event: Any) -> ClusterCheckRequest:  # noqa: ANN401 - Lambda passes any JSON
    """Return which cluster to check, and who launched it if the event has that.

    Raises:
        InvalidEventError: The event does not name a cluster; the message names the field.

    """
    envelope = convert(event, ClusterEvent)
    at = envelope.time
    match envelope.detail_type:
        case "AWS API Call via CloudTrail":
            launch = convert(event, RunJobFlow).detail
            cluster_id = launch.response_elements.job_flow_id
            return ClusterCheckRequest(cluster_id, launch.user_identity.arn, at=at, by_event=True)
        case "Recheck Requested":
            again = convert(event, RecheckRequest).detail
            about = again.cluster_id or str(again.bucket_arn)
            return ClusterCheckRequest(about, force_refresh=True, at=at)
        case "EMR Cluster State Change":
            change = convert(event, ClusterChange).detail
            return ClusterCheckRequest(change.cluster_id, at=at, by_event=True, state=change.state)
        case "EMR Step Status Change":
            step = convert(event, StepChange).detail
            return ClusterCheckRequest(
                step.cluster_id, at=at, by_event=True, step_ids=(step.step_id,)
            )
