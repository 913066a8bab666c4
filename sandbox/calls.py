"""Record and count the API calls that an account answers, those of its functions included."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

EMR = "ElasticMapReduce"
"""EMR, as its protocol names it."""
THROTTLED = "ThrottlingException"

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


@dataclass(frozen=True, slots=True)
class EmrCalls:
    """Calls to EMR by action."""

    answered: Counter[str]
    """Those with an answer, which may be an error about the request."""
    refused: Counter[str]
    """Those above a quota."""

    def __sub__(self, earlier: Self) -> Self:
        """The calls since an earlier count."""
        return type(self)(self.answered - earlier.answered, self.refused - earlier.refused)


def emr_calls(file: Path) -> EmrCalls:
    """Count the calls to EMR so far."""
    made, refused = Counter[str](), Counter[str]()
    for line, count in answered(file).items():
        target, *result = line.split()
        service, _, action = target.partition(".")
        if service == EMR:
            (refused if THROTTLED in result else made)[action] += count
    return EmrCalls(made, refused)
