"""What an account was asked, for whoever has to count: the functions' own calls among them."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

type Application = Callable[..., Awaitable[None]]


def noting(app: Application, file: Path) -> Application:
    """Have an ASGI application write a line for each call that AWS's JSON protocol names.

    The name is in a header there; the other protocols have it in the body or nowhere.
    https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
    """
    lines = file.open("a", buffering=1)

    async def answer(
        scope: dict[str, Any], receive: object, send: Callable[..., Awaitable[None]]
    ) -> None:
        target = dict(scope.get("headers", ())).get(b"x-amz-target", b"").decode()

        async def note(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                lines.write(f"{target} {message['status']}\n")
            await send(message)

        await app(scope, receive, note if target else send)

    return answer


def answered(file: Path) -> Counter[str]:
    """Count what was answered so far, such as `ElasticMapReduce.DescribeCluster 200`."""
    return Counter(file.read_text().splitlines())
