"""Everything that can be replayed, and how to recognise it.

Events of EventBridge, the batches and deliveries that functions are invoked with, what Lambda and
SNS send to a dead-letter queue, and the guard's own requests.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from emr_log_guard.domain.decide import RequestEnforcement
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.domain.workflow_state import FindingKey
from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.emr import ClusterCheckRequest, parse_cluster_message
from emr_log_guard.events.enforcement import parse_enforcement_request
from emr_log_guard.events.import_findings import IMPORT_FINDINGS, import_request, parse_import
from emr_log_guard.events.kms import KEY_EVENTS, parse_key_event
from emr_log_guard.events.log_objects import (
    RECHECK_LOG_OBJECT,
    LogObjectCheckRequest,
    parse_log_object_request,
)
from emr_log_guard.events.parsing import convert
from emr_log_guard.events.reencryption import REENCRYPT_LOG_OBJECT, parse_reencryption_request
from emr_log_guard.events.sns import parse_alerts


@dataclass(frozen=True, slots=True)
class ForCheckCluster:
    """Events that name clusters, at least one."""

    events: tuple[Mapping[str, Any], ...]
    requests: tuple[ClusterCheckRequest, ...]

    @property
    def title(self) -> str:
        """A short description."""
        pairs = zip(self.events, self.requests, strict=True)
        return ", ".join(f"{event['detail-type']} of {each.cluster_id}" for event, each in pairs)


@dataclass(frozen=True, slots=True)
class ForCheckLogObjects:
    """Messages for the log objects' queue, at least one."""

    bodies: tuple[str, ...]
    requests: tuple[LogObjectCheckRequest, ...]

    @property
    def versions(self) -> tuple[ObjectVersion, ...]:
        """The objects."""
        return tuple(request.version for request in self.requests)

    @property
    def title(self) -> str:
        """A short description."""
        what = "Object Created of"
        if any(request.reencrypted for request in self.requests):
            what = "UpdateObjectEncryption of"
        if any(request.recheck_for for request in self.requests):
            what = "re-check request for"
        return f"{what} {', '.join(map(str, self.versions))}"


@dataclass(frozen=True, slots=True)
class ForEnforce:
    """Messages for the enforcement queue, at least one."""

    bodies: tuple[str, ...]
    requests: tuple[RequestEnforcement, ...]

    @property
    def title(self) -> str:
        """A short description."""
        clusters = [request.cluster_arn.rpartition("/")[2] for request in self.requests]
        return f"request to terminate {', '.join(clusters)}"


@dataclass(frozen=True, slots=True)
class ForReencrypt:
    """Messages for the queue of re-encryptions, at least one."""

    bodies: tuple[str, ...]
    versions: tuple[ObjectVersion, ...]

    @property
    def title(self) -> str:
        """A short description."""
        return f"request to re-encrypt {', '.join(map(str, self.versions))}"


@dataclass(frozen=True, slots=True)
class ForSubscribers:
    """A delivery of SNS, for the functions that subscribe to the alerts."""

    event: Mapping[str, Any]
    alerts: tuple[PublishedAlert, ...]
    failed: str = ""
    """The ARN of the function that failed on it; empty when unknown."""

    @property
    def title(self) -> str:
        """A short description."""
        return f"alert {'; '.join(alert.subject for alert in self.alerts)}"


@dataclass(frozen=True, slots=True)
class ForCheckKey:
    """An event about a KMS key, an alias or a custom key store."""

    event: Mapping[str, Any]
    key: str
    """Which of these it is."""

    @property
    def title(self) -> str:
        """A short description."""
        match self.event:
            case {"detail": {"eventName": str(name)}}:
                return f"{name} of {self.key}"
            case _:
                return f"{self.event['detail-type']} of {self.key}"


@dataclass(frozen=True, slots=True)
class ForImportFindings:
    """A request to import findings into Security Hub."""

    event: Mapping[str, Any]
    keys: tuple[FindingKey, ...] | None
    """None: all open findings."""

    @property
    def title(self) -> str:
        """A short description."""
        if self.keys is None:
            return "import of all open findings into Security Hub"
        named = ", ".join(f"{each.rule_id} of {each.cluster_id}" for each in self.keys)
        return f"import into Security Hub: {named or 'nothing'}"


@dataclass(frozen=True, slots=True)
class ForReviewFindings:
    """An event that starts a review of all open findings."""

    event: Mapping[str, Any]

    @property
    def title(self) -> str:
        """A short description."""
        return f"{self.event['detail-type']}, which starts a review of open findings"


type Replayable = (
    ForCheckCluster
    | ForCheckKey
    | ForCheckLogObjects
    | ForEnforce
    | ForImportFindings
    | ForReencrypt
    | ForReviewFindings
    | ForSubscribers
)


class Record(msgspec.Struct, frozen=True):
    """A message in a batch of SQS."""

    body: str


class Batch(msgspec.Struct, frozen=True, rename="pascal"):
    """What SQS invokes a function with."""

    records: tuple[Record, ...]


class Failed(msgspec.Struct, frozen=True, rename="camel"):
    """Lambda's record of a failed asynchronous invocation.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """

    request_payload: dict[str, Any]
    request_context: dict[str, Any] = {}
    response_payload: Any = None


def parse_replayable(event: Any) -> Replayable:  # noqa: ANN401 - any JSON may be in a file
    """Recognise an event.

    Raises:
        InvalidEventError: The guard does not handle it; the message names the field.

    """
    match event:
        case {"Records": [{"Sns": _}, *_]}:
            return ForSubscribers(event, parse_alerts(event))
        case {"Records": [{"dynamodb": _}, *_]}:
            return ForImportFindings(event, parse_import(event))
        case {"schema": schema} if schema == IMPORT_FINDINGS:
            return ForImportFindings(event, parse_import(event))
        case {"Records": _}:
            return _messages([record.body for record in convert(event, Batch).records])
        case {"detail-type": "Scheduled Event" | "Parameter Store Change"}:
            return ForReviewFindings(event)
        case {"detail-type": str(kind)} if _about_keys(kind, event):
            return ForCheckKey(event, parse_key_event(event).subject)
        case {"schema": _} | {"detail-type": _}:
            return _messages([json.dumps(event)])
        case dict():
            message = (
                "no `detail-type` (an event of EventBridge), `schema` (a request of the guard) or "
                "`Records` (a delivery of SQS or SNS)"
            )
            raise InvalidEventError(message)
        case _:
            message = f"expected an object, not {type(event).__name__}"
            raise InvalidEventError(message)


def parse_dead_letter(body: str) -> Replayable:
    """Recognise a message of the dead-letter queue.

    Besides events there are failed invocations, with the event as their payload; notifications
    that SNS could not deliver to a function; and batches of the table's stream, which only have
    their position: then all open findings are imported again.

    Raises:
        InvalidEventError: The guard does not handle it; the message names the field.

    """
    match _json(body):
        case {"requestPayload": _} as failed:
            return _invoked(convert(failed, Failed))
        case {"DDBStreamBatchInfo": _}:
            return ForImportFindings(import_request(), None)
        case {"Type": "Notification"} as notification:
            return parse_replayable({"Records": [{"EventSource": "aws:sns", "Sns": notification}]})
        case {"schema": schema} if schema != IMPORT_FINDINGS:
            return _messages([body])
        case {"detail-type": str(kind)} as event if _about_objects(kind, event):
            return _messages([body])
        case event:
            return parse_replayable(event)


def cause_of(body: str, attributes: Mapping[str, str]) -> str | None:
    """Return why a message became a dead letter; None when unknown.

    EventBridge and EventBridge Scheduler write it to the message's attributes, Lambda to its body;
    a queue's redrive policy and SNS do not.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    if code := attributes.get("ERROR_CODE"):
        return ": ".join(filter(None, [code, attributes.get("ERROR_MESSAGE")]))
    match _json(body):
        case {"requestPayload": _, "responsePayload": {"errorType": kind, "errorMessage": message}}:
            return f"{kind}: {message}"
        case {"requestContext": {"condition": condition}}:
            return str(condition)
        case {"schema": schema, "reason": reason} if schema == IMPORT_FINDINGS:
            return str(reason)
        case _:
            return None


def _about_objects(kind: str, event: Mapping[str, Any]) -> bool:
    match event:
        case {"detail": {"eventSource": "s3.amazonaws.com"}}:
            return True
        case _:
            return kind == "Object Created"


def _about_keys(kind: str, event: Mapping[str, Any]) -> bool:
    match event:
        case {"detail": {"eventSource": "kms.amazonaws.com"}}:
            return True
        case _:
            return kind in KEY_EVENTS


def _invoked(failed: Failed) -> Replayable:
    """Parse the payload of an asynchronous invocation."""
    replayable = parse_replayable(failed.request_payload)
    if isinstance(replayable, ForSubscribers):
        return replace(replayable, failed=str(failed.request_context.get("functionArn", "")))
    if isinstance(replayable, ForCheckLogObjects | ForEnforce | ForReencrypt):
        message = "requestPayload: no function of the guard is invoked asynchronously with this"
        raise InvalidEventError(message)
    return replayable


def _messages(
    bodies: list[str],
) -> ForCheckCluster | ForCheckLogObjects | ForEnforce | ForReencrypt:
    """Parse messages of a queue; the first one identifies which queue."""
    if not bodies:
        message = "`Records` is empty"
        raise InvalidEventError(message)
    match _json(bodies[0]):
        case {"schema": schema} if schema == REENCRYPT_LOG_OBJECT:
            return ForReencrypt(tuple(bodies), tuple(map(parse_reencryption_request, bodies)))
        case {"schema": schema} if schema != RECHECK_LOG_OBJECT:
            return ForEnforce(tuple(bodies), tuple(map(parse_enforcement_request, bodies)))
        case {"detail-type": str(kind)} as event if not _about_objects(kind, event):
            requests = tuple(map(parse_cluster_message, bodies))
            return ForCheckCluster(tuple(map(json.loads, bodies)), requests)
        case _:
            return ForCheckLogObjects(tuple(bodies), tuple(map(parse_log_object_request, bodies)))


def _json(text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except ValueError:
        return None
