"""AWS behind real boto3 clients: answers by operation, each checked against AWS's own model."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.model import OperationModel
from botocore.validate import validate_parameters


@dataclass(frozen=True)
class AwsError:
    """An error as AWS answers it."""

    code: str
    message: str = "message of AWS"
    status: int = 400


type Answer = dict[str, Any] | AwsError | Exception
type Answers = Callable[[dict[str, Any]], Answer]


def every_event_accepted(request: dict[str, Any]) -> dict[str, Any]:
    """PutEvents that refuses nothing."""
    return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}] * len(request["Entries"])}


class StubbedAws:
    """Answers the calls of every client that it is attached to, and records them."""

    def __init__(self) -> None:
        self._answers: dict[str, list[Answer | Answers]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.regions: list[str] = []
        self._attached = ExitStack()

    def answer(self, operation: str, *answers: Answer | Answers) -> None:
        """Give these answers in turn, the last one for good."""
        self._answers[operation] = list(answers)

    def attach[Client: BaseClient](self, client: Client) -> Client:
        """Answer for this client from now on."""

        def record_call(params: dict[str, Any], model: OperationModel, **_: object) -> None:
            self.calls.append((model.name, dict(params)))
            self.regions.append(client.meta.region_name)

        respond: Callable[..., Any] = self._respond  # what it returns is taken for AWS's answer
        events = client.meta.events
        for event, handler in ("before-parameter-build", record_call), ("before-call", respond):
            events.register_first(f"{event}.*.*", handler)
            self._attached.callback(events.unregister, f"{event}.*.*", handler)
        return client

    def detach(self) -> None:
        """Answer for no client any more: another test may attach to it."""
        self._attached.close()

    @property
    def counts(self) -> dict[str, int]:
        """How often each operation was called."""
        return dict(Counter(operation for operation, _ in self.calls))

    def forget_calls(self) -> None:
        self.calls.clear()
        self.regions.clear()

    def _respond(self, model: OperationModel, **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        answers = self._answers.get(model.name)
        assert answers, f"{model.name} was not to be called"
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(self.calls[-1][1])
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, AwsError):
            error = {"Error": {"Code": answer.code, "Message": answer.message}}
            return _response(answer.status), error | _metadata(answer.status)
        if model.output_shape is not None:
            validate_parameters(answer, model.output_shape)
        return _response(200), answer | _metadata(200)


def _response(status: int) -> AWSResponse:
    return AWSResponse("https://stubbed.invalid", status, HTTPHeaders(), None)


def _metadata(status: int) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}}
