"""EMR Cluster State Change.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-events-response-console.html
"""

from typing import Annotated, Any, Literal

import msgspec

from emr_log_guard.events.parsing import convert

ClusterId = Annotated[str, msgspec.Meta(pattern=r"^j-[A-Z0-9]+\Z")]


class ClusterStateChangeDetail(msgspec.Struct, frozen=True, rename="camel"):
    """Which cluster changed. Its state is not read: it is a hint, and may be old."""

    cluster_id: ClusterId


class ClusterStateChange(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """A cluster changed its state."""

    source: Literal["aws.emr"]
    detail_type: Literal["EMR Cluster State Change"]
    detail: ClusterStateChangeDetail


def parse_cluster_event(event: Any) -> str:  # noqa: ANN401 - Lambda hands over any JSON
    """Say which cluster to look at.

    Returns:
        The cluster's id, such as `j-2AXXXXXXGAPLF`.

    Raises:
        InvalidEventError: The event is not EMR's, or names no cluster.

    """
    return convert(event, ClusterStateChange).detail.cluster_id
