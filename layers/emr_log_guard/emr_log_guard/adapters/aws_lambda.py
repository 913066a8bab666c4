"""AWS Lambda: invoking functions."""

import json
from collections.abc import Mapping
from typing import Any

from emr_log_guard.adapters.errors import handoff
from emr_log_guard.errors import FunctionFailedError


class LambdaFunctions:
    """The functions of this account and Region.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3's own types are not at hand
        """Invoke through this client."""
        self._client = client

    def invoke(self, name: str, event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Invoke a function and wait for its result.

        Raises:
            FunctionFailedError: It ran and failed, or timed out.
            HandoffFailedError: Lambda did not run it, or did not answer.

        """
        with handoff("lambda:InvokeFunction", name):
            answer = self._client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
            result = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise FunctionFailedError(_failure(name, result))
        return result


def _failure(name: str, result: Any) -> str:  # noqa: ANN401 - any JSON
    """Describe the error of a function.

    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
    """
    match result:
        case {"errorType": kind, "errorMessage": message}:
            return f"{name} failed: {kind}: {message}"
        case {"errorMessage": message}:  # a timeout has no type
            return f"{name} failed: {message}"
        case _:
            return f"{name} failed: {json.dumps(result)}"
