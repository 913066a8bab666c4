"""Replaying: sending an event, a delivery or a request to the deployed guard again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from emr_log_guard.errors import FunctionFailedError, NotDeployedError
from emr_log_guard.events.replay import (
    ForCheckCluster,
    ForCheckKey,
    ForCheckLogObjects,
    ForEnforce,
    ForImportFindings,
    ForReencrypt,
    ForReviewFindings,
    ForSubscribers,
    Replayable,
)

CHECK_CLUSTER = "CheckClusterFunction"
CHECK_KEY = "CheckKeyFunction"
CHECK_LOG_OBJECTS = "CheckLogObjectsFunction"
REVIEW_FINDINGS = "ReviewFindingsFunction"
NOTIFY_SLACK = "NotifySlackFunction"
NOTIFY_AMAZON_Q = "NotifyAmazonQFunction"
EMIT_EVENTS = "EmitEventsFunction"
IMPORT_FINDINGS = "ImportFindingsFunction"
CLUSTER_EVENTS_QUEUE = "ClusterEventsQueue"
LOG_OBJECTS_QUEUE = "LogObjectsQueue"
ENFORCEMENT_QUEUE = "EnforcementQueue"
ENFORCE = "EnforceFunction"
REENCRYPTION_QUEUE = "ReencryptionQueue"
REENCRYPT = "ReencryptFunction"
FINDINGS_TABLE = "FindingsTable"
POLICY_PARAMETER = "PolicyParameter"
DEAD_LETTER_QUEUE = "DeadLetterQueue"
RESCAN_STATE_MACHINE = "RescanStateMachine"

_SUBSCRIBERS = {
    NOTIFY_SLACK: "posted to Slack",
    NOTIFY_AMAZON_Q: "handed to Amazon Q",
    EMIT_EVENTS: "put on the event bus",
}
"""The functions that receive every alert, and the result text of each."""
_WITHOUT = {
    IMPORT_FINDINGS: "it was deployed without SecurityHub",
    ENFORCEMENT_QUEUE: "it was deployed without EnforcementAllowed",
    REENCRYPTION_QUEUE: "it was deployed without ReencryptionAllowed",
}
"""Why a stack may not have a resource."""


class Functions(Protocol):
    """Invokes functions."""

    def invoke(self, name: str, event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Invoke one and wait for its result, or raise FunctionFailedError, HandoffFailedError."""
        ...


class Queues(Protocol):
    """Sends messages."""

    def send(self, url: str, body: str) -> None:
        """Send one, or raise HandoffFailedError."""
        ...


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """The deployed resources: physical ids by logical id."""

    name: str
    resources: Mapping[str, str]

    def __getitem__(self, logical_id: str) -> str:
        """Return the physical id of a resource, or raise NotDeployedError."""
        if logical_id not in self.resources:
            why = _WITHOUT.get(logical_id, "is it a stack of EMR Log Guard, of this version?")
            message = f"stack {self.name} has no {logical_id}: {why}"
            raise NotDeployedError(message)
        return self.resources[logical_id]


@dataclass(frozen=True, slots=True)
class Replay:
    """Sends events to the stack, and returns the result as text.

    Each method raises NotDeployedError, HandoffFailedError or FunctionFailedError.
    """

    stack: DeployedStack
    functions: Functions
    queues: Queues

    def run(self, what: Replayable) -> str:
        """Handle it synchronously where that is possible."""
        if isinstance(what, ForCheckCluster):
            function = self.stack[CHECK_CLUSTER]
            done = (self.functions.invoke(function, event) for event in what.events)
            return "; ".join(map(_cluster_checked, done))
        if isinstance(what, ForCheckLogObjects):
            answer = self.functions.invoke(self.stack[CHECK_LOG_OBJECTS], _batch(what.bodies))
            failed = _failed(answer, what)
            if failed:
                message = f"{', '.join(failed)}: the function could not check it; its log says why"
                raise FunctionFailedError(message)
            return "checked; an alert was sent if anything is wrong"
        return self.resend(what)

    def resend(self, what: Replayable) -> str:
        """Send it to its original target."""
        match what:
            case ForCheckCluster(events):
                self._send(CLUSTER_EVENTS_QUEUE, tuple(map(json.dumps, events)))
                return "sent to the queue of check_cluster"
            case ForCheckKey(event, key):
                asked = self.functions.invoke(self.stack[CHECK_KEY], event)
                clusters = ", ".join(asked["clusters"]) or "none"
                return f"checks were requested of the clusters that {key} may affect: {clusters}"
            case ForReviewFindings(event):
                asked = self.functions.invoke(self.stack[REVIEW_FINDINGS], event)
                return f"checks of {asked['clusters']} clusters were requested"
            case ForImportFindings(event):
                done = self.functions.invoke(self.stack[IMPORT_FINDINGS], event)
                return (
                    f"{done['imported']} findings imported into Security Hub, {done['refused']} "
                    f"refused, {done['unknown']} no longer recorded"
                )
            case ForSubscribers():
                return self._deliver(what)
            case ForCheckLogObjects(bodies):
                self._send(LOG_OBJECTS_QUEUE, bodies)
                return "sent to the queue of check_log_objects"
            case ForEnforce(bodies):
                self._send(ENFORCEMENT_QUEUE, bodies)
                return "sent to the queue of enforce, which re-evaluates the cluster first"
            case ForReencrypt(bodies):
                self._send(REENCRYPTION_QUEUE, bodies)
                return "sent to the queue of reencrypt, which re-evaluates the object first"
            case _:
                assert_never(what)

    def _deliver(self, what: ForSubscribers) -> str:
        """Invoke the function that failed; all subscribers when that is unknown."""
        deployed = [each for each in _SUBSCRIBERS if each in self.stack.resources]
        names = {each: self.stack[each] for each in deployed or [EMIT_EVENTS]}
        failed = [each for each in names if names[each] in what.failed.split(":")]
        for each in failed or names:
            self.functions.invoke(names[each], what.event)
        return " and ".join(_SUBSCRIBERS[each] for each in failed or names)

    def _send(self, queue: str, bodies: tuple[str, ...]) -> None:
        url = self.stack[queue]
        for body in bodies:
            self.queues.send(url, body)


def _batch(bodies: tuple[str, ...]) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"replay-{place}", "eventSource": "aws:sqs", "body": body}
            for place, body in enumerate(bodies)
        ]
    }


def _failed(answer: Any, what: ForCheckLogObjects) -> list[str]:  # noqa: ANN401 - any JSON
    """Return the objects that could not be checked."""
    failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    return [
        str(version) for place, version in enumerate(what.versions) if f"replay-{place}" in failed
    ]


def _cluster_checked(summary: Any) -> str:  # noqa: ANN401 - any JSON
    match summary:
        case {
            "cluster_id": cluster,
            "compliance": compliance,
            "rules": dict(rules),
            "actions": [*actions],
        }:
            failed = [f"{rule} {result}" for rule, result in rules.items() if result != "COMPLIANT"]
            details = f" ({', '.join(failed)})" if failed else ""
            done = f"actions: {', '.join(map(str, actions))}" if actions else "no action was needed"
            return f"{cluster} is {compliance}{details}; {done}"
        case _:
            return json.dumps(summary)
