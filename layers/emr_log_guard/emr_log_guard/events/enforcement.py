"""The guard's request to `enforce`. Unknown fields are rejected: here they are mistakes."""

from typing import Annotated, Literal

import msgspec

from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.events.parsing import decode

Schema = Literal["emr-log-guard/enforcement/1"]
ClusterArn = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^arn:[a-z-]+:elasticmapreduce:[a-z0-9-]+:[0-9]{12}:cluster/j-[A-Z0-9]+\Z"
    ),
]


class LogObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A log object behind the request."""

    bucket: str
    key: str
    version_id: str | None = None


class EnforcementRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Re-evaluate this cluster and terminate it if required, or verify that it has terminated."""

    schema: Schema
    cluster_arn: ClusterArn
    log_objects: tuple[LogObject, ...] = ()
    verify: bool = False


def encode_enforcement_request(request: RequestEnforcement) -> str:
    """Write a request as the JSON body of a queue message."""
    message = EnforcementRequest(
        schema="emr-log-guard/enforcement/1",
        cluster_arn=request.cluster_arn,
        log_objects=tuple(
            LogObject(version.bucket, version.key, version.version_id)
            for version in request.log_objects
        ),
        verify=request.verify,
    )
    return msgspec.json.encode(message).decode()


def parse_enforcement_request(body: str) -> RequestEnforcement:
    """Parse a request.

    Raises:
        InvalidEventError: The body is not one; the message names the field.

    """
    message = decode(body, EnforcementRequest)
    return RequestEnforcement(
        message.cluster_arn,
        tuple(ObjectVersion(o.bucket, o.key, o.version_id) for o in message.log_objects),
        message.verify,
    )
