"""Record and count the API calls that an account answers, those of its functions included."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

type Application = Callable[..., Awaitable[None]]


def noting(app: Application, file: Path) -> Application:
    """Make an ASGI application write one line per call that uses AWS's JSON protocol.

    This protocol names the operation in a header; other protocols name it in the body or not at
    all. https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
    """
    lines = file.open("a", buffering=1)

    async def answer(
        scope: dict[str, Any], receive: object, send: Callable[..., Awaitable[None]]
    ) -> None:
        target = dict(scope.get("headers", ())).get(b"x-amz-target", b"").decode()

        async def note(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                error = dict(message["headers"]).get(b"x-amzn-errortype", b"").decode()
                lines.write(f"{target} {message['status']} {error}".rstrip() + "\n")
            await send(message)

        await app(scope, receive, note if target else send)

    return answer


def answered(file: Path) -> Counter[str]:
    """Count the calls so far, by operation, status and error code if there is one.

    Such as `ElasticMapReduce.ListSteps 200`, `ElasticMapReduce.ListSteps 400 ThrottlingException`.
    """
    return Counter(file.read_text().splitlines())
