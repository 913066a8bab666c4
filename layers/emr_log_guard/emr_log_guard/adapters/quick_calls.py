"""Amazon EMR's calls without the detours: the later ones take a third of the first one's work.

So the first call of an operation is botocore's; where it was sent to, and how it was signed, holds
for the others. Whatever is answered but 200 OK is left to botocore, which knows about errors.
https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import local
from typing import TYPE_CHECKING, Any, Literal

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from emr_log_guard.adapters.pace import THROTTLED
from emr_log_guard.adapters.quick_way import KeptConnections, Way

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.credentials import Credentials
    from botocore.model import OperationModel
    from types_boto3_emr import EMRClient

    from emr_log_guard.adapters.call_count import CallCount
    from emr_log_guard.adapters.pace import Paces

_OK = 200
_SERVICE = "elasticmapreduce"
_KEPT = ("Content-Type", "User-Agent", "X-Amz-Target")


@dataclass(slots=True)
class QuickCalls:
    """Calls of one client's operations. Any number of threads may ask."""

    credentials: "Credentials"
    connections: KeptConnections
    paces: "Paces"
    calls: "CallCount"
    _ways: dict[str, Way | None] = field(default_factory=dict)
    """The ways of operations; None for what stays botocore's."""
    _mine: local = field(default_factory=local)
    """What each thread's last request by botocore was."""

    def watch(self, client: "EMRClient") -> None:
        """See how this client asks, and keep it once it was answered with 200 OK."""

        def remember(request: "AWSPreparedRequest", **_: object) -> None:
            self._mine.request = request

        def learn(http_response: "AWSResponse", model: "OperationModel", **_: object) -> None:
            request = self._mine.__dict__.pop("request", None)
            if request is not None and http_response.status_code == _OK:
                self._ways.setdefault(model.name, Way.of(request, _SERVICE, *_KEPT))

        for operation in ("DescribeCluster", "ListSteps"):
            client.meta.events.register_first(f"before-send.emr.{operation}", remember)
            client.meta.events.register_first(f"after-call.emr.{operation}", learn)

    def answer(
        self, operation: Literal["DescribeCluster", "ListSteps"], **parameters: str
    ) -> Mapping[str, Any] | None:
        """Ask, and read the answer, whose times stay numbers; None when it takes botocore.

        Raises:
            AuditStoppedError: Nobody wants the answer any more.

        """
        way = self._ways.get(operation)
        if way is None:
            return None
        pace = self.paces.of(operation)
        sent = pace.wait()
        body = json.dumps(parameters).encode()
        request = AWSRequest("POST", way.url + way.path, headers=way.headers, data=body)
        SigV4Auth(self.credentials.get_frozen_credentials(), _SERVICE, way.region).add_auth(request)
        answered = self.connections.answer(way, "POST", way.path, request)
        if answered is None:
            return None
        status, answer = answered[0].status, _object(answered[1])
        code = "OK" if status == _OK else _code(answer) or str(status)
        self.calls.note(f"{_SERVICE}:{operation}", way.region, code)
        if code in THROTTLED:
            pace.throttled(sent)
        else:
            pace.accepted()
        return answer if status == _OK else None


def _code(answer: Mapping[str, Any] | None) -> str:
    """Name an error as AWS does, without the namespace that may stand before it."""
    return str((answer or {}).get("__type", "")).rpartition("#")[2]


def _object(body: bytes) -> Mapping[str, Any] | None:
    """Read a JSON object; None for anything else."""
    try:
        read = json.loads(body, object_hook=_without_nulls)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _without_nulls(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out what is null, as botocore does: it is not set."""
    return {name: value for name, value in members.items() if value is not None}
